"""Chooses a node and its devices for a request: of those that fit, where it leaves the least that is lost.

Of nodes that score equally (see `scores`) that is taken where several devices are nearest to each other, then the first
row, which is the first by a hash of the nodes' names.
"""

import numpy as np

from gpu.placement.arrays import Bools, Floats, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.mix import Learner, TaskClass, class_of, usual_mix
from gpu.placement.refusals import has_good_share, refusal_of
from gpu.placement.scores import MOST_KEPT, Scores
from gpu.placement.specs import WHOLE, Placement, Refusal, Request, Terms

PRICE_EVERY = 100  # requests


class Placer:
    """Places requests in a cluster, one by one, and learns what is asked for. Not for use by two threads at once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.learner = cluster, Learner()
        self._kinds: dict[tuple[frozenset[str], int], int] = {}
        self.scores = Scores(cluster, usual_mix((1 << len(cluster.kinds)) - 1))

    def place(self, request: Request, *, asked_before: bool = False) -> Placement | Refusal:
        """Choose for a request and charge it.

        What is refused counts among what is asked for as well, unless the cluster could never hold it, but only once:
        `asked_before` says that it was refused before.
        """
        answer = self.choose(request)
        if isinstance(answer, Placement):
            self.cluster.take(answer)
        if not asked_before and (isinstance(answer, Placement) or not answer.never):
            self.observe(request)
        return answer

    def observe(self, request: Request) -> None:
        """Count a request among what is asked for."""
        if self.learner.observe(self._class(request), request.memory_mib):
            self.scores = Scores(self.cluster, self.learner.mix())
        elif self.learner.seen % PRICE_EVERY == 0:
            self.scores.reprice()

    def choose(self, request: Request, within: Bools | None = None) -> Placement | Refusal:
        """Return where a request would go now, of all rows or of those `within` (N,), and change nothing."""
        rows = self._fitting(request)
        if within is not None:
            rows = rows[within[rows]]
        if not len(rows):
            return refusal_of(self.cluster, request)
        if request.profile:
            return self._instance(request, rows)
        worth = self.scores.worth(request, self._class(request), rows)
        best = self._first(request, rows, worth.score)
        row, device = int(rows[best]), int(worth.device[best])
        terms = Terms(float(worth.gain[best]), float(worth.scarcity[best]), float(worth.score[best]))
        return Placement(request, self.cluster.nodes[row].name, self._devices(request, row, device), terms)

    def _first(self, request: Request, rows: Ints, scores: Floats) -> int:
        """Return the index of the best score; of equals that where several devices are nearest to each other."""
        best = int(np.argmax(scores))
        if self.cluster.topology.is_flat or request.devices < 2:
            return best
        equal = np.flatnonzero(scores == scores[best])
        usable = self.cluster.usable(request, rows[equal])
        return int(equal[np.argmax(self.cluster.topology.levels(usable, request.devices, rows[equal]))])

    def _instance(self, request: Request, rows: Ints) -> Placement:
        """Choose an instance of a partitioned device: where it leaves most for others."""
        fits = np.zeros((len(self.cluster.nodes), 1), bool)
        fits[rows] = True
        lost, row, device, slot = self.cluster.partitions.best(request.profile, fits & self.cluster.usable(request))
        terms = Terms(-WHOLE * lost, 0.0, -lost)
        return Placement(request, self.cluster.nodes[row].name, (device,), terms, slot)

    def _fitting(self, request: Request) -> Ints:
        if request.devices and not has_good_share(request):
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.cluster.fits(request))

    def _class(self, request: Request) -> TaskClass:
        allowed = request.models, request.device_memory_mib
        found = self._kinds.get(allowed)
        if found is None:
            if len(self._kinds) >= MOST_KEPT:
                self._kinds.clear()
            bits = sum(1 << int(kind) for kind in np.flatnonzero(self.cluster.admits(request)))
            found = self._kinds[allowed] = bits
        return class_of(request, found)

    def _devices(self, request: Request, row: int, first: int) -> tuple[int, ...]:
        """Return the devices of a row to take: that of a share, or the nearest of the kind of the first."""
        if request.is_share or not request.devices:
            return (first,) * request.devices
        usable = self.cluster.usable(request, row) & (self.cluster.kind[row] == self.cluster.kind[row, first])
        return self.cluster.topology.nearest(row, usable, request.near, request.devices)
