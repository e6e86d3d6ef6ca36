"""Why nothing fits: each node is counted under the first cause that keeps a request off it."""

from collections.abc import Iterator

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.specs import LASTING, WHOLE, Cause, Near, Refusal, Request


def refusal_of(cluster: Cluster, request: Request) -> Refusal:
    """Return why no node takes a request; `never` where none could if nothing ran and all were well."""
    if request.devices and not has_good_share(request):
        return Refusal(request, never=True, counts={Cause.BAD_SHARE: len(cluster.nodes)})
    counts: dict[Cause, int] = {}
    open_rows = np.ones(len(cluster.nodes), bool)
    for cause, holds in _causes(cluster, request):
        if not open_rows.any():
            break
        found = int((open_rows & holds).sum())
        if found:
            counts[cause] = found
        open_rows &= ~holds
    return Refusal(request, never=set(counts) <= LASTING, counts=counts)


def has_good_share(request: Request) -> bool:
    """Tell whether a share is one that a device can give: of one device, more than nothing and at most all.

    An instance is of one device.
    """
    if request.profile:
        return request.devices == 1 and request.share_milli == WHOLE
    return request.share_milli == WHOLE or (request.devices == 1 and 0 < request.share_milli < WHOLE)


def _causes(cluster: Cluster, request: Request) -> Iterator[tuple[Cause, Bools]]:
    """Yield which nodes each cause keeps a request off: (N,), in the order in which they are counted."""
    yield Cause.NODE_CPU, cluster.cpu < request.cpu_millicores
    yield Cause.NODE_MEMORY, cluster.memory < request.memory_mib
    yield Cause.NODE_RESOURCES, _lacks(cluster, request, cluster.other)
    able = cluster.partitions.room(request.profile, empty=True) > 0 if request.profile else cluster.plain
    admitted = able & cluster.admits(request)[cluster.kind]
    enough = cluster.topology.enough
    if request.devices:
        of_model = np.array([not request.models or model in request.models for model, _memory in cluster.kinds], bool)
        yield Cause.NODE_DEVICES, ~enough(able, Near.NODE, request.devices)
        if request.models:
            yield Cause.MODEL, ~enough(able & of_model[cluster.kind], Near.NODE, request.devices)
        if request.device_memory_mib:
            yield Cause.DEVICE_MEMORY, ~enough(admitted, Near.NODE, request.devices)
        yield Cause.NODE_NEAR, ~enough(admitted, request.near, request.devices)
    yield Cause.NOT_READY, ~cluster.ready
    well = admitted & ~cluster.sick
    if request.devices:
        yield Cause.SICK, ~enough(well, request.near, request.devices)
    yield Cause.CPU, cluster.cpu_free < request.cpu_millicores
    yield Cause.MEMORY, cluster.memory_free < request.memory_mib
    yield Cause.RESOURCES, _lacks(cluster, request, cluster.other_free)
    if request.devices:
        left = cluster.partitions.room(request.profile) if request.profile else cluster.left // request.share_milli
        roomy = well & (left > 0)
        yield Cause.DEVICES, ~enough(roomy, Near.NODE, request.devices)
        yield Cause.NEAR, ~enough(roomy, request.near, request.devices)
        yield Cause.SHARING, ~enough(cluster.usable(request), request.near, request.devices)


def _lacks(cluster: Cluster, request: Request, amounts: Ints) -> Bools:
    """Return which nodes have less than is asked for of some other resource: (N,)."""
    found = np.zeros(len(cluster.nodes), bool)
    for name, amount in request.resources:
        found |= cluster.of(amounts, name) < amount
    return found
