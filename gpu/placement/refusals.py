"""Why nothing fits: each node is counted under the first cause that keeps a request off it."""

import numpy as np

from gpu.placement.cluster import Bools, Cluster
from gpu.placement.specs import LASTING, WHOLE, Cause, Refusal, Request


def refusal_of(cluster: Cluster, request: Request) -> Refusal:
    """Return why no node takes a request; `never` where none could if nothing ran and all were well."""
    if request.devices and not has_good_share(request):
        return Refusal(request, never=True, counts={Cause.BAD_SHARE: len(cluster.nodes)})
    counts: dict[Cause, int] = {}
    open_rows = np.ones(len(cluster.nodes), bool)
    for cause, holds in _causes(cluster, request):
        found = int((open_rows & holds).sum())
        if found:
            counts[cause] = found
        open_rows &= ~holds
    return Refusal(request, never=set(counts) <= LASTING, counts=counts)


def has_good_share(request: Request) -> bool:
    """Tell whether a share is one that a device can give: of one device, more than nothing and at most all."""
    return request.share_milli == WHOLE or (request.devices == 1 and 0 < request.share_milli < WHOLE)


def _causes(cluster: Cluster, request: Request) -> list[tuple[Cause, Bools]]:
    asks = request.devices
    admitted = cluster.admits(request)[cluster.kind]
    of_model = np.array([not request.models or model in request.models for model, _memory in cluster.kinds], bool)
    well = (cluster.exists & ~cluster.sick).sum(1)
    free = (cluster.idle >= request.share_milli).sum(1)
    return [
        (Cause.NODE_CPU, cluster.cpu < request.cpu_millicores),
        (Cause.NODE_MEMORY, cluster.memory < request.memory_mib),
        (Cause.NODE_DEVICES, cluster.device_count < asks),
        (Cause.MODEL, ~of_model[cluster.kind] & (asks > 0)),
        (Cause.DEVICE_MEMORY, ~admitted),
        (Cause.NOT_READY, ~cluster.ready),
        (Cause.SICK, well < asks),
        (Cause.CPU, cluster.cpu_free < request.cpu_millicores),
        (Cause.MEMORY, cluster.memory_free < request.memory_mib),
        (Cause.DEVICES, free < asks),
    ]
