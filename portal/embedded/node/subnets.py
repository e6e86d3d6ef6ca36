"""Chooses the address ranges of a node so that they meet nothing that this machine already routes. Only computes."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from portal.embedded.errors import StartError

COUNT = 64
_LINKS = IPv4Network("10.201.0.0/16")
_PODS = IPv4Network("10.202.0.0/16")
_SERVICES = IPv4Network("10.208.0.0/12")


@dataclass(frozen=True)
class Subnets:
    """The ranges of the node with a number from 0 to 63: a /30 to the machine, a /24 of pods, a /20 of services."""

    number: int

    @property
    def link(self) -> IPv4Network:
        """Return the range between the machine and the node."""
        return _nth(_LINKS, 24, self.number, then=30)

    @property
    def host(self) -> IPv4Address:
        """Return the machine's end of the link."""
        return self.link[1]

    @property
    def node(self) -> IPv4Address:
        """Return the node's end of the link, where the API server answers too."""
        return self.link[2]

    @property
    def pods(self) -> IPv4Network:
        """Return the addresses of pods."""
        return _nth(_PODS, 24, self.number)

    @property
    def services(self) -> IPv4Network:
        """Return the addresses of Services."""
        return _nth(_SERVICES, 20, self.number)

    @property
    def api_service(self) -> IPv4Address:
        """Return the address of the Service `kubernetes`, the first of the range."""
        return self.services[1]

    @property
    def all(self) -> tuple[IPv4Network, ...]:
        """Return every range of the node."""
        return (self.link, self.pods, self.services)


def choose(*, taken: Iterable[IPv4Network], seed: str, kept: int | None) -> Subnets:
    """Return the ranges of an earlier run, or the first free ones from a place that depends on the seed.

    `seed` is hexadecimal. A cluster's data knows its ranges, so kept ones that are taken now raise StartError.
    """
    occupied = list(taken)
    if kept is not None:
        subnets = Subnets(kept)
        if clash := _clash(subnets, occupied):
            raise StartError(
                f"This cluster's data uses the range {clash[0]}, and the machine routes {clash[1]} elsewhere now. "
                "Stop what uses it, or start with another data directory."
            )
        return subnets
    first = int(seed, 16) % COUNT
    for step in range(COUNT):
        subnets = Subnets((first + step) % COUNT)
        if not _clash(subnets, occupied):
            return subnets
    raise StartError(
        f"No address range is free for the node: the machine routes all of {_LINKS}, {_PODS}, {_SERVICES}."
    )


def parse_routes(text: str) -> list[IPv4Network]:
    """Return the destinations in the output of `ip -json route show table all`; the default route is none."""
    networks = []
    for route in json.loads(text or "[]"):
        destination = str(route.get("dst", "default"))
        if destination != "default" and ":" not in destination:
            networks.append(IPv4Network(destination, strict=False))
    return [network for network in networks if network.prefixlen > 0]


def read_kept(path: Path) -> int | None:
    """Return the number that an earlier run wrote; None when there was none."""
    try:
        number = json.loads(path.read_text())["subnets"]
    except (OSError, ValueError, KeyError):
        return None
    return int(number) % COUNT


def write_kept(path: Path, subnets: Subnets) -> None:
    """Note the ranges for the next run, and for people."""
    told = {"subnets": subnets.number, "node": str(subnets.node), "ranges": [str(each) for each in subnets.all]}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _nth(pool: IPv4Network, prefix: int, number: int, *, then: int | None = None) -> IPv4Network:
    start = int(pool.network_address) + (number << (32 - prefix))
    return IPv4Network((start, then or prefix))


def _clash(subnets: Subnets, occupied: list[IPv4Network]) -> tuple[IPv4Network, IPv4Network] | None:
    pairs = ((ours, theirs) for ours in subnets.all for theirs in occupied)
    return next((pair for pair in pairs if pair[0].overlaps(pair[1])), None)
