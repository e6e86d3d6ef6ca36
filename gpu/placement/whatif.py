"""What would have to be otherwise for a refused request to fit: cheap answers, each true when it is made so."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gpu.placement.cluster import Cluster
from gpu.placement.refusals import has_good_share
from gpu.placement.specs import Placement, Request


def most_devices(cluster: Cluster, request: Request) -> int:
    """Return the largest number of whole devices with which it would fit now, the rest as asked; 0 without one."""
    return max((n for n in range(1, request.devices + 1) if fits(cluster, replace(request, devices=n))), default=0)


def nodes_by_model(cluster: Cluster, request: Request) -> dict[str, int]:
    """Return on how many nodes of each model it would fit now if it named that one; models without a node are left out.

    Of a request that asks for no devices nothing.
    """
    models = sorted({model for model, _memory in cluster.kinds}) if request.devices else []
    found = {model: _nodes(cluster, replace(request, models=frozenset({model}))) for model in models}
    return {model: n for model, n in found.items() if n}


def endings_needed(cluster: Cluster, request: Request, holders: Sequence[Placement]) -> int | None:
    """Return after how many of these holders' ends, in this order, it fits: 0 if it does now, None if never by them."""
    if fits(cluster, request):
        return 0
    then = cluster.copy()
    for number, holder in enumerate(holders, 1):
        then.free(holder)
        if fits(then, request):
            return number
    return None


def fits(cluster: Cluster, request: Request) -> bool:
    """Tell whether a request would be placed now."""
    return bool(_nodes(cluster, request))


def _nodes(cluster: Cluster, request: Request) -> int:
    if request.devices and not has_good_share(request):
        return 0
    return int(np.count_nonzero(cluster.copies(request)))
