"""Which kinds of devices will be needed by requests that can take no other: those are kept for them while others do.

Demand is laid over what is free like water over a floor: until all that is free is asked for, each class that only
some kinds will do for takes from these in proportion to what is left of them, the classes with least choice first.
"""

from collections import defaultdict

import numpy as np

from gpu.placement.arrays import Floats
from gpu.placement.cluster import Cluster
from gpu.placement.mix import Mix

_LEAST = 0.01  # of a kind that is spoken for: it still takes a part of what only it and its like can serve


def scarcity_of(cluster: Cluster, mix: Mix) -> Floats:
    """Return for each kind the part of its free devices, 0 to 1, that requests which need it are expected to take."""
    idle = cluster.idle * cluster.ready[:, None]
    free = np.bincount(cluster.kind.ravel(), weights=idle.ravel(), minlength=len(cluster.kinds))
    demand: defaultdict[int, float] = defaultdict(float)
    for task, weight, _memory in mix.classes:
        demand[task.kinds] += weight * task.devices * task.share_milli
    asked = sum(demand.values())
    if not asked or not free.sum():
        return np.zeros(len(free))
    horizon = free.sum() / asked  # requests until what is free is gone
    taken, every = np.zeros(len(free)), (1 << len(free)) - 1
    choosy = [(_members(kinds, len(free)), amount) for kinds, amount in demand.items() if kinds not in (0, every)]
    for members, amount in sorted(choosy, key=lambda found: (free[found[0]].sum(), found[0].tolist())):
        left = np.where(members, np.maximum(free - taken, _LEAST * free), 0.0)
        if left.sum():
            taken += amount * horizon * left / left.sum()
    return np.minimum(1.0, np.divide(taken, free, out=np.ones_like(taken), where=free > 0))


def _members(kinds: int, n: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([kinds >> kind & 1 for kind in range(n)], bool)
