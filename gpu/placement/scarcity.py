"""Which kinds of devices will be needed by requests that can take no other: those are kept for them while others do.

Demand is laid over what is free, and over `RETURNING` of what is held, like water over a floor: until all of that is
asked for, each class that only some kinds will do for takes from these in proportion to what is left of them, the
classes with least choice first.
"""

from collections import defaultdict

import numpy as np

from gpu.placement.arrays import Floats
from gpu.placement.cluster import Cluster
from gpu.placement.mix import Mix
from gpu.placement.specs import WHOLE

RETURNING = 0.5  # of what is held will be free again in time; 0.1 to 1 differ by less than 0.1 points
_LEAST = 0.01  # of a kind that is spoken for: it still takes a part of what only it and its like can serve


def scarcity_of(cluster: Cluster, mix: Mix) -> Floats:
    """Return for each kind the part of that supply, 0 to 1, which requests that need it are expected to take."""
    well = WHOLE * (cluster.plain & ~cluster.sick)
    supply = (cluster.idle + RETURNING * (well - cluster.idle)) * cluster.ready[:, None]
    free = np.bincount(cluster.kind.ravel(), weights=supply.ravel(), minlength=len(cluster.kinds))
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
