"""Joins the node's network namespace to the machine: one link and two routes, which vanish with the namespace."""

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.embedded.errors import StartError
from portal.embedded.node.places import Places
from portal.embedded.node.subnets import Subnets, choose, parse_routes, read_kept, write_kept

_MACHINE_LOCK = Path("/run/lock/berth-network.lock")


@contextmanager
def chosen_subnets(places: Places) -> Iterator[Subnets]:
    """Give free ranges; no other node of this machine chooses until the block, which adds the routes, is left."""
    _MACHINE_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _MACHINE_LOCK.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        taken = parse_routes(run_ip("-json", "route", "show", "table", "all"))
        subnets = choose(taken=taken, seed=places.tag, kept=read_kept(places.network_file))
        yield subnets
        write_kept(places.network_file, subnets)


def join(places: Places, subnets: Subnets, *, holder_pid: int) -> None:
    """Make the link and the routes on the machine's side. Raises StartError."""
    link = places.link
    run_ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(holder_pid))
    run_ip("addr", "add", f"{subnets.host}/30", "dev", link)
    run_ip("link", "set", link, "up")
    for network in (subnets.pods, subnets.services):
        run_ip("route", "add", str(network), "via", str(subnets.node), "dev", link)


def leave(places: Places) -> None:
    """Remove the link, and the routes with it, if they are still there."""
    if Path("/sys/class/net", places.link).exists():
        # The kernel may be quicker: the end of the namespace removes it too.
        subprocess.run(["ip", "link", "del", places.link], capture_output=True, check=False, timeout=20)


def run_ip(*words: str) -> str:
    """Run `ip` and return what it printed. Raises StartError."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    if done.returncode != 0:
        raise StartError(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout
