"""What is set up inside the node's namespaces before anything runs there: mounts, addresses, kernel settings."""

import shlex
import subprocess
from collections.abc import Sequence

from portal.embedded.errors import StartError
from portal.embedded.node.places import Places
from portal.embedded.node.subnets import Subnets
from portal.embedded.tether import tethered

# The kubelet wants these for the whole machine. It leaves alone what reads right, so it is shown files that do.
_MACHINE_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
# These belong to the network namespace, so the machine keeps its own. Frames on the bridge must pass the rules of
# network policies.
_NETWORK_SETTINGS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
# Answers leave towards the machine, nothing else: what users run does not reach the network round the node.
_EDGE_CHAIN = 'type filter hook forward priority -10; oifname "eth0" ct state new drop;'
_EDGE = f"table ip berth_edge {{ chain forward {{ {_EDGE_CHAIN} }}; }}"


def script(places: Places, subnets: Subnets) -> str:
    """Return the shell script that makes the inside of the namespaces a node."""
    kubelet, pod_logs = (shlex.quote(str(path)) for path in (places.kubelet, places.pod_logs))
    lines = [
        "mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run",
        "mkdir -p /run/containerd /run/lock /run/settings",
        "mkdir -p /var/lib/kubelet /var/lib/cni",
        f"mount --bind {kubelet} /var/lib/kubelet",
        "mount --make-rshared /var/lib/kubelet",
        "mount -t tmpfs -o mode=755 tmpfs /var/lib/cni",
        # A kubelet removes the logs of pods that it does not know: those of another node must be out of its sight.
        f"mkdir -p {pod_logs} /var/log/pods /var/log/containers",
        f"mount --bind {pod_logs} /var/log/pods",
        "mount -t tmpfs -o mode=755 tmpfs /var/log/containers",
        *(_shadow(path, value) for path, value in _MACHINE_SETTINGS.items()),
        "ip link set lo up",
        f"ip addr add {subnets.node}/30 dev eth0",
        "ip link set eth0 up",
        *(f"echo {value} > /proc/sys/{path}" for path, value in _NETWORK_SETTINGS.items()),
        f"nft {shlex.quote(_EDGE)}",
    ]
    return "\n".join(lines)


def set_up(places: Places, subnets: Subnets, *, holder_pid: int) -> None:
    """Run the script in the namespaces of the holder. Raises StartError with what failed."""
    done = run_inside(["/bin/sh", "-eux", "-c", script(places, subnets)], holder_pid=holder_pid)
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-3:])
        raise StartError(f"The node's namespaces could not be set up:\n{said}")


def run_inside(
    argv: Sequence[str], *, holder_pid: int, mounts: bool = True, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a short command in the namespaces of the holder, with `mounts` in its mount and PID namespaces too.

    Not for what may need a signal: that one would reach nsenter and not the command.
    """
    kinds = ("--net", "--mount", "--pid") if mounts else ("--net",)
    command = ["nsenter", "--target", str(holder_pid), *kinds, "--", *argv]
    return subprocess.run(tethered(command), capture_output=True, text=True, check=False, timeout=timeout_s)


def _shadow(path: str, value: str) -> str:
    file = f"/run/settings/{path.replace('/', '-')}"
    return f"if [ -e /proc/sys/{path} ]; then echo {value} > {file}; mount --bind {file} /proc/sys/{path}; fi"
