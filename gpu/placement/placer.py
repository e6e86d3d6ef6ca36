"""Chooses a node and its devices for a request: of those that fit, where it leaves the least that is lost.

The score of a node is the step by which the expected loss falls there, in hundredths of a logistic curve as in the
published simulator of FGD (steps that hardly differ count as equal), less a price for kinds of devices that others
cannot do without. Among equals the first row wins, which is the first by a hash of the nodes' names. Scores are kept
for each class of requests; a placement makes those of one row stale, a newly learned mix all of them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpu.placement.cluster import Bools, Cluster, Ints
from gpu.placement.loss import ExpectedLoss, Floats
from gpu.placement.mix import Learner, Mix, TaskClass, class_of, usual_mix
from gpu.placement.refusals import has_good_share, refusal_of
from gpu.placement.scarcity import scarcity_of
from gpu.placement.specs import WHOLE, Placement, Refusal, Request, Terms

SCARCE = 3.0  # steps of the curve between a kind that nobody needs and one that is all spoken for
PRICE_EVERY = 100  # requests
MOST_KEPT = 512  # classes of which scores are kept: 14 bytes a node each
_CURVE_MILLI = 1_000.0


class _Kept(NamedTuple):
    """Scores of a class: raw gain, its step and the device of a share, by row, and the row's version they are of."""

    gain: npt.NDArray[np.float32]
    step: npt.NDArray[np.int8]
    device: npt.NDArray[np.int8]
    seen: Ints


class Placer:
    """Places requests in a cluster, one by one, and learns what is asked for. Not for use by two threads at once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.learner = cluster, Learner()
        self._kinds: dict[Request, tuple[Bools, TaskClass]] = {}
        self._learn(usual_mix((1 << len(cluster.kinds)) - 1))

    def place(self, request: Request) -> Placement | Refusal:
        """Choose for a request and charge it.

        What is refused counts among what is asked for as well, unless the cluster could never hold it.
        """
        answer = self.choose(request)
        if isinstance(answer, Placement):
            self.cluster.take(answer)
        if isinstance(answer, Placement) or not answer.never:
            self.observe(request)
        return answer

    def observe(self, request: Request) -> None:
        """Count a request among what is asked for."""
        if self.learner.observe(self._class(request)[1], request.memory_mib):
            self._learn(self.learner.mix())
        elif self.learner.seen % PRICE_EVERY == 0:
            self.scarcity = scarcity_of(self.cluster, self._mix)

    def choose(self, request: Request, within: Bools | None = None) -> Placement | Refusal:
        """Return where a request would go now, of all rows or of those `within` (N,), and change nothing."""
        rows = self._fitting(request)
        if within is not None:
            rows = rows[within[rows]]
        if not len(rows):
            return refusal_of(self.cluster, request)
        kept = self._scored(request, rows)
        price = SCARCE * self.scarcity[self.cluster.kind[rows]] if request.devices else 0.0
        scores = kept.step[rows] - price
        best = int(np.argmax(scores))
        row = int(rows[best])
        terms = Terms(float(kept.gain[row]), float(self.scarcity[self.cluster.kind[row]]), float(scores[best]))
        return Placement(
            request, self.cluster.nodes[row].name, self._devices(request, row, int(kept.device[row])), terms
        )

    def _fitting(self, request: Request) -> Ints:
        cluster = self.cluster
        fits = (
            cluster.ready & (cluster.cpu_free >= request.cpu_millicores) & (cluster.memory_free >= request.memory_mib)
        )
        if request.devices:
            if not has_good_share(request):
                return np.zeros(0, np.int64)
            fits &= (cluster.idle >= request.share_milli).sum(1) >= request.devices
            if request.models or request.device_memory_mib:
                fits &= self._class(request)[0][cluster.kind]
        return np.flatnonzero(fits)

    def _class(self, request: Request) -> tuple[Bools, TaskClass]:
        found = self._kinds.get(request)
        if found is None:
            if len(self._kinds) >= MOST_KEPT:
                self._kinds.clear()
            admits = self.cluster.admits(request)
            bits = sum(1 << int(kind) for kind in np.flatnonzero(admits))
            found = self._kinds[request] = admits, class_of(request, bits)
        return found

    def _learn(self, mix: Mix) -> None:
        cluster = self.cluster
        self._mix, self._loss = mix, ExpectedLoss(mix, len(cluster.kinds))
        self._kept: dict[tuple[TaskClass, int], _Kept] = {}
        self._now: Floats = np.zeros(len(cluster.nodes))
        self._now_of: Ints = np.full(len(cluster.nodes), -1, np.int64)
        self.scarcity = scarcity_of(cluster, mix)

    def _scored(self, request: Request, rows: Ints) -> _Kept:
        """Return the scores of a request's class, of these rows at least as they are now."""
        key, n = (self._class(request)[1], request.memory_mib), len(self.cluster.nodes)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = _Kept(
                np.zeros(n, np.float32), np.zeros(n, np.int8), np.full(n, -1, np.int8), np.full(n, -1, np.int64)
            )
        stale = rows[kept.seen[rows] < self.cluster.version[rows]]
        if len(stale):
            _states, first, alike = np.unique(self.cluster.state[stale], return_index=True, return_inverse=True)
            gain, device = (found[alike] for found in self._gains(request, stale[first]))
            kept.gain[stale], kept.device[stale] = gain, device
            kept.step[stale] = np.floor(100 / (1 + np.exp(-gain / _CURVE_MILLI)))
            kept.seen[stale] = self.cluster.version[stale]
        return kept

    def _gains(self, request: Request, rows: Ints) -> tuple[Floats, Ints]:
        """Return by how much the loss falls in these rows, in thousandths of a device, and the best device of a share.

        Rounded, so that sums taken in another order are equal.
        """
        cluster = self.cluster
        if request.is_share:
            at, device = _distinct(cluster.idle[rows], request.share_milli)
            states, idle = rows[at], cluster.idle[rows[at]]
            idle[np.arange(len(at)), device] -= request.share_milli
        else:
            at, device = np.arange(len(rows)), np.full(len(rows), -1)
            states, idle = rows, cluster.idle[rows]
            if request.devices:
                whole = idle == WHOLE
                idle[whole & (np.cumsum(whole, 1) <= request.devices)] = 0
        cpu, memory = (
            cluster.cpu_free[states] - request.cpu_millicores,
            cluster.memory_free[states] - request.memory_mib,
        )
        after = self._loss(cpu, memory, idle, cluster.kind[states])
        gain = np.round(self._loss_now(rows)[at] - after, 6)
        if not request.is_share:
            return gain, device
        order = np.lexsort((device, -gain, at))  # the best device of each row, the first among equals
        first = order[np.r_[True, np.diff(at[order]) > 0]]
        return gain[first], device[first]

    def _loss_now(self, rows: Ints) -> Floats:
        cluster = self.cluster
        stale = rows[self._now_of[rows] < cluster.version[rows]]
        if len(stale):
            free, memory = cluster.cpu_free[stale], cluster.memory_free[stale]
            self._now[stale] = self._loss(free, memory, cluster.idle[stale], cluster.kind[stale])
            self._now_of[stale] = cluster.version[stale]
        return self._now[rows]

    def _devices(self, request: Request, row: int, device: int) -> tuple[int, ...]:
        if request.is_share:
            return (device,)
        whole = np.flatnonzero(self.cluster.idle[row] == WHOLE)[: request.devices]
        return tuple(int(found) for found in whole)


def _distinct(idle: Ints, share_milli: int) -> tuple[Ints, Ints]:
    """Return (row, device) of each device with room for a share, of those of a row that are as idle only the first."""
    roomy = idle >= share_milli
    for device in range(1, idle.shape[1]):
        roomy[:, device] &= ~(idle[:, :device] == idle[:, [device]]).any(1)
    at, found = np.nonzero(roomy)
    return at, found
