"""Places the pods of a gang together: all of them or none, near enough to each other.

The pods of a gang ask for the same, so that how many fit into a place is a sum over its nodes, and known before the
first is placed: no trial is ever taken back. Of the places with room for all the one is taken that has least to spare.
"""

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.refusals import has_good_share, refusal_of
from gpu.placement.specs import Gang, Level, Placement, Refusal


def place_gang(placer: Placer, gang: Gang, *, asked_before: bool = False) -> list[Placement] | Refusal:
    """Choose for each pod and charge them all, or charge none. Raises ValueError for a gang without pods.

    Each of its pods counts among what is asked for, as in `Placer.place`.
    """
    if gang.pods < 1:
        raise ValueError("a gang has at least one pod")
    request, cluster = gang.request, placer.cluster
    if request.devices and not has_good_share(request):
        return refusal_of(cluster, request)
    place = _place_of(cluster, gang.within)
    room = _by_place(place, cluster.copies(request), gang.pods)
    fitting = np.flatnonzero(room >= gang.pods)
    empty = room if len(fitting) else _by_place(place, cluster.copies(request, empty=True), gang.pods)
    never = bool((empty < gang.pods).all())
    for _pod in range(0 if never or asked_before else gang.pods):
        placer.observe(request)
    if not len(fitting):
        counts = refusal_of(cluster, request).counts
        return Refusal(request, never=never, counts=counts, pods=gang.pods, room=int(room.max(initial=0)))
    tightest = fitting[np.argmin(room[fitting])]
    return [_placed(placer, gang, place == tightest) for _pod in range(gang.pods)]


def _placed(placer: Placer, gang: Gang, within: Bools) -> Placement:
    found = placer.choose(gang.request, within)
    if not isinstance(found, Placement):
        raise RuntimeError("a place had room for fewer pods than were counted")  # noqa: TRY004 (a fault, not a type)
    placer.cluster.take(found)
    return found


def _place_of(cluster: Cluster, level: Level) -> Ints:
    """Return for each row the number of its place: (N,), from 0 in the order of rows."""
    if level is Level.NODE:
        return np.arange(len(cluster.nodes))
    if level is Level.ANY:
        return np.zeros(len(cluster.nodes), np.int64)
    names = [node.rack if level is Level.RACK else node.pool for node in cluster.nodes]
    number = {name: at for at, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.int64)


def _by_place(place: Ints, copies: Ints, most: int) -> Ints:
    """Return how many pods fit into each place; more than `most` on one node count as that many."""
    found: Ints = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    np.add.at(found, place, np.minimum(copies, most))
    return found
