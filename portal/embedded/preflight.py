"""What the container node needs of a machine, asked before it is started so that the answer can be a sentence."""

import os
import shutil
import sys
from pathlib import Path

# Program or file → the Debian package that brings it.
_PROGRAMS = {
    "runc": "runc",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "busybox": "busybox-static",
    "docker-registry": "docker-registry",
}
_CNI_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def node_obstacles(*, search_path: str | None = None) -> list[str]:
    """Return why this machine cannot run the container node, as sentences; empty when it can."""
    if sys.platform != "linux":
        return ["The container node needs Linux."]
    obstacles = []
    if os.geteuid() != 0:
        obstacles.append("The container node needs root: start with `sudo bin/up`.")
    elif not may_administer():
        obstacles.append("The container node needs rights that root does not have here: a container took them away.")
    if missing := missing_packages(search_path=search_path):
        obstacles.append(f"The container node needs packages: apt-get install {' '.join(missing)}")
    return obstacles


def may_administer(*, status: Path = Path("/proc/self/status")) -> bool:
    """Tell whether this process may make namespaces, mounts and networks: root in most containers may not."""
    lines = status.read_text(encoding="utf-8", errors="replace").splitlines()
    held = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return all(held >> right & 1 for right in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))


def missing_packages(*, search_path: str | None = None) -> list[str]:
    """Return the Debian packages whose programs are not found; Debian keeps some outside an ordinary user's PATH."""
    path = search_path if search_path is not None else f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    missing = [package for program, package in _PROGRAMS.items() if shutil.which(program, path=path) is None]
    if not any((directory / "bridge").exists() for directory in _CNI_DIRS):
        missing.append("containernetworking-plugins")
    return missing
