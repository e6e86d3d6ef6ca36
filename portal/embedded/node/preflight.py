"""Says before the start what this machine lacks for a node with containers, so that nobody reads it from a log."""

import shutil
import subprocess
from pathlib import Path

from portal.embedded.node.cgroups import hierarchies
from portal.embedded.node.holder import SYSTEM_PATH
from portal.embedded.preflight import node_obstacles

_BRIDGE_SWITCH = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
# The switch above is per network namespace only on newer kernels; its module must be there in any case.
_MODULES = ("overlay", "br_netfilter", "veth", "bridge", "nf_tables")


def obstacles(state_dir: Path) -> list[str]:
    """Return why the node cannot run here, as sentences; empty when it can."""
    found = node_obstacles()
    if found:
        return found
    if state_dir.is_relative_to("/run"):
        found.append(f"The node's data cannot be below /run, which the node has for itself: {state_dir}.")
    return found + kernel_obstacles()


def kernel_obstacles() -> list[str]:
    """Load the kernel modules that are not built in, and return what is missing as sentences."""
    found = []
    for module in _MODULES:
        if not Path("/sys/module", module).exists() and shutil.which("modprobe", path=SYSTEM_PATH):
            subprocess.run(["modprobe", "--quiet", module], capture_output=True, check=False, timeout=30)
    if not _BRIDGE_SWITCH.exists():
        found.append("Network policies need the kernel module br_netfilter, which this kernel does not have.")
    if "\toverlay\n" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        found.append("Containers need the overlay file system, which this kernel does not have.")
    if not hierarchies():
        found.append("Containers need cgroups, and none are mounted below /sys/fs/cgroup.")
    return found
