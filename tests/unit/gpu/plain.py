"""Placement told again in plain loops over what is held, for tests to hold the arrays against."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gpu.placement.cluster import Cluster
from gpu.placement.specs import WHOLE, Device, Near, Node, Placement, Request


@dataclass
class Use:
    """What is held of a device."""

    milli: int = 0
    sharers: list[tuple[str, bool]] = field(default_factory=list)
    wholes: int = 0
    slices: list[tuple[int, int]] = field(default_factory=list)

    def check(self) -> None:
        """Assert what must hold of every device."""
        assert self.milli <= WHOLE
        assert self.wholes <= 1
        assert not (self.wholes and self.sharers)
        assert not (self.slices and self.milli)
        assert len({tenant for tenant, _shares in self.sharers}) < 2 or all(shares for _tenant, shares in self.sharers)
        assert all(end <= start for (_start, end), (start, _end) in pairwise(sorted(self.slices)))

    def takes(self, device: Device, request: Request) -> bool:
        """Tell whether a device that is used so has room for a part of a request."""
        if (request.models and device.model not in request.models) or device.memory_mib < request.device_memory_mib:
            return False
        if request.profile:
            profile = device.mig.profiles.get(request.profile) if device.mig else None
            spans = [(start, start + profile.slices) for start in profile.starts] if profile else []
            return any(all(end <= s or e <= start for s, e in self.slices) for start, end in spans)
        if device.mig or self.milli + request.share_milli > WHOLE:
            return False
        others = {tenant for tenant, _shares in self.sharers} - {request.tenant}
        allowed = request.shares_with_others and all(shares for _tenant, shares in self.sharers)
        return not request.is_share or not others or allowed


def uses(node: Node, held: Sequence[Placement]) -> defaultdict[int, Use]:
    """Return what is held of each device of a node."""
    found: defaultdict[int, Use] = defaultdict(Use)
    for placement in held:
        for at in placement.devices if placement.node == node.name else ():
            use, request, mig = found[at], placement.request, node.devices[at].mig
            if request.profile:
                assert mig
                assert placement.slot in mig.profiles[request.profile].starts
                use.slices.append((placement.slot, placement.slot + mig.profiles[request.profile].slices))
                continue
            use.milli += request.share_milli
            use.wholes += not request.is_share
            use.sharers += [(request.tenant, request.shares_with_others)] * request.is_share
    return found


def group(device: Device, at: int, near: Near) -> tuple[object, ...]:
    """Return what devices have in common that are so near to each other."""
    place = None if near is Near.NODE else getattr(device, near.value)
    alone = place is None and near is not Near.NODE
    return device.model, device.memory_mib, place, at if alone else None


def fits(cluster: Cluster, node: Node, request: Request, held: Sequence[Placement]) -> bool:
    """Tell whether a node could take a request beside what is held."""
    row, here = cluster.row_of(node.name), [placement.request for placement in held if placement.node == node.name]
    others = defaultdict[str, int](int)
    for name, amount in (pair for each in here for pair in each.resources):
        others[name] += amount
    used, together = uses(node, held), defaultdict[tuple[object, ...], int](int)
    for at, device in enumerate(node.devices):
        together[group(device, at, request.near)] += not cluster.sick[row, at] and used[at].takes(device, request)
    return (
        bool(cluster.ready[row])
        and sum(each.cpu_millicores for each in here) + request.cpu_millicores <= node.cpu_millicores
        and sum(each.memory_mib for each in here) + request.memory_mib <= node.memory_mib
        and all(others[name] + amount <= node.resources.get(name, 0) for name, amount in request.resources)
        and (not request.devices or max(together.values(), default=0) >= request.devices)
    )
