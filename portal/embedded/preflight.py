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
    "docker-registry": "docker-registry",
}
_CNI_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def node_obstacles(*, search_path: str | None = None) -> list[str]:
    """Return why this machine cannot run the container node, as sentences; empty when it can."""
    if sys.platform != "linux":
        return ["The container node needs Linux."]
    obstacles = []
    if os.geteuid() != 0:
        obstacles.append("The container node needs root: start with `sudo bin/up`.")
    if missing := missing_packages(search_path=search_path):
        obstacles.append(f"The container node needs packages: apt-get install {' '.join(missing)}")
    return obstacles


def missing_packages(*, search_path: str | None = None) -> list[str]:
    """Return the Debian packages whose programs are not found; Debian keeps some outside an ordinary user's PATH."""
    path = search_path if search_path is not None else f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}"
    missing = [package for program, package in _PROGRAMS.items() if shutil.which(program, path=path) is None]
    if not any((directory / "bridge").exists() for directory in _CNI_DIRS):
        missing.append("containernetworking-plugins")
    return missing
