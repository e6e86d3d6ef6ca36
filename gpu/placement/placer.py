"""Chooses a node and its devices for a request: of those that fit, where it leaves the least that is lost.

The score of a node is the step by which the expected loss falls there, in hundredths of a logistic curve as in the
published simulator of FGD (steps that hardly differ count as equal), less a price for kinds of devices that others
cannot do without. Among equals the first row wins, which is the first by a hash of the nodes' names. Scores are kept
for each class of requests; a placement makes those of one row stale, a newly learned mix all of them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpu.placement.arrays import Bools, Floats, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.loss import ExpectedLoss
from gpu.placement.mix import Learner, Mix, TaskClass, class_of, usual_mix
from gpu.placement.refusals import has_good_share, refusal_of
from gpu.placement.scarcity import scarcity_of
from gpu.placement.specs import WHOLE, Near, Placement, Refusal, Request, Terms

SCARCE = 3.0  # steps of the curve between a kind that nobody needs and one that is all spoken for
PRICE_EVERY = 100  # requests
MOST_KEPT = 512  # classes of which scores are kept: 14 bytes a node each
_CURVE_MILLI = 1_000.0
_ANYBODY = ("", True)


class _Kept(NamedTuple):
    """Scores of a class: raw gain, its step and the first device, by row, and the row's version they are of."""

    gain: npt.NDArray[np.float32]
    step: npt.NDArray[np.int8]
    device: npt.NDArray[np.int8]
    seen: Ints


class Placer:
    """Places requests in a cluster, one by one, and learns what is asked for. Not for use by two threads at once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.learner = cluster, Learner()
        self._kinds: dict[tuple[frozenset[str], int], int] = {}
        self._mixed = np.flatnonzero((cluster.topology.group[Near.NODE] > 0).any(1))  # rows with devices of two kinds
        self._learn(usual_mix((1 << len(cluster.kinds)) - 1))

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
            self._learn(self.learner.mix())
        elif self.learner.seen % PRICE_EVERY == 0:
            self._price()

    def choose(self, request: Request, within: Bools | None = None) -> Placement | Refusal:
        """Return where a request would go now, of all rows or of those `within` (N,), and change nothing."""
        rows = self._fitting(request)
        if within is not None:
            rows = rows[within[rows]]
        if not len(rows):
            return refusal_of(self.cluster, request)
        if request.profile:
            return self._instance(request, rows)
        kept, price = self._scored(request, rows), np.zeros(len(rows))
        if request.devices:
            price = self.scarcity[self.cluster.kind[rows, kept.device[rows]]]
        scores = kept.step[rows] - SCARCE * price
        best = self._first(request, rows, scores)
        row = int(rows[best])
        terms = Terms(float(kept.gain[row]), float(price[best]), float(scores[best]))
        return Placement(
            request, self.cluster.nodes[row].name, self._devices(request, row, int(kept.device[row])), terms
        )

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

    def _learn(self, mix: Mix) -> None:
        cluster = self.cluster
        self._mix, self._loss = mix, ExpectedLoss(mix, len(cluster.kinds))
        self._kept: dict[tuple[TaskClass, int, Near, tuple[str, bool]], _Kept] = {}
        self._now: Floats = np.zeros(len(cluster.nodes))
        self._now_of: Ints = np.full(len(cluster.nodes), -1, np.int64)
        self._price()

    def _price(self) -> None:
        self.scarcity = scarcity_of(self.cluster, self._mix)
        for kept in self._kept.values() if len(self._mixed) else ():  # on these the price chooses the device, too
            kept.seen[self._mixed] = -1

    def _scored(self, request: Request, rows: Ints) -> _Kept:
        """Return the scores of a request's class, of these rows at least as they are now."""
        guarded = self.cluster.sharers.bounds(request)
        sharer = (request.tenant, request.shares_with_others) if guarded else _ANYBODY
        key, n = (self._class(request), request.memory_mib, request.near, sharer), len(self.cluster.nodes)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = _Kept(
                np.zeros(n, np.float32), np.zeros(n, np.int8), np.full(n, -1, np.int8), np.full(n, -1, np.int64)
            )
        stale = rows[kept.seen[rows] < self.cluster.version[rows]]
        if len(stale):
            first = alike = np.zeros(1, np.int64)
            if len(stale) > 1:
                _states, first, alike = np.unique(self.cluster.state[stale], return_index=True, return_inverse=True)
            gain, device = self._gains(request, stale[first])
            kept.gain[stale], kept.step[stale], kept.device[stale] = gain[alike], _step(gain)[alike], device[alike]
            kept.seen[stale] = self.cluster.version[stale]
        return kept

    def _gains(self, request: Request, rows: Ints) -> tuple[Floats, Ints]:
        """Return by how much the loss falls in these rows, in thousandths of a device, and the best (first) device.

        Rounded, so that sums taken in another order are equal.
        """
        cluster = self.cluster
        at, taken = self._choices(request, rows)
        states, idle = rows[at], cluster.idle[rows[at]]
        idle -= taken * request.share_milli
        cpu = cluster.cpu_free[states] - request.cpu_millicores
        memory = cluster.memory_free[states] - request.memory_mib
        gain = np.round(self._loss_now(rows)[at] - self._lost(cpu, memory, idle, states), 6)
        device = taken.argmax(1)
        if len(at) == len(rows):
            return gain, device
        worth = gain
        if len(self._mixed):
            worth = _step(gain) - SCARCE * self.scarcity[cluster.kind[states, device]]
        order = np.lexsort((device, -gain, -worth, at))  # the best of each row, the first among equals
        first = order[np.r_[True, np.diff(at[order]) > 0]]
        return gain[first], device[first]

    def _choices(self, request: Request, rows: Ints) -> tuple[Ints, Bools]:
        """Return what could be taken in these rows: (C,) indices into rows, in their order, and (C, G) the devices.

        Of devices that are alike only the first are a choice.
        """
        cluster = self.cluster
        if not request.devices:
            return np.arange(len(rows)), np.zeros((len(rows), cluster.idle.shape[1]), bool)
        usable, group = cluster.usable(request, rows), cluster.topology.group[Near.NODE][rows]
        if request.is_share:
            return _distinct(usable, cluster.idle[rows] * (cluster.topology.count[Near.NODE] + 1) + group)
        if not len(self._mixed):
            return np.arange(len(rows)), usable & (np.cumsum(usable, 1) <= request.devices)
        found: list[tuple[Ints, Bools]] = []
        for number in range(cluster.topology.count[Near.NODE]):
            of_kind = usable & (group == number)
            at = np.flatnonzero(cluster.topology.enough(of_kind, request.near, request.devices, rows))
            found.append((at, of_kind[at] & (np.cumsum(of_kind[at], 1) <= request.devices)))
        at, taken = np.concatenate([at for at, _taken in found]), np.concatenate([taken for _at, taken in found])
        order = np.argsort(at, kind="stable")
        return at[order], taken[order]

    def _loss_now(self, rows: Ints) -> Floats:
        cluster = self.cluster
        stale = rows[self._now_of[rows] < cluster.version[rows]]
        if len(stale):
            free, memory = cluster.cpu_free[stale], cluster.memory_free[stale]
            self._now[stale] = self._lost(free, memory, cluster.idle[stale], stale)
            self._now_of[stale] = cluster.version[stale]
        return self._now[rows]

    def _lost(self, cpu: Ints, memory: Ints, idle: Ints, rows: Ints) -> Floats:
        """Return the loss of states of rows; a node of several kinds counts as one for each, with all its CPU."""
        kinds, group = self.cluster.kind[rows], self.cluster.topology.group[Near.NODE][rows]
        if not len(self._mixed):
            return self._loss(cpu, memory, idle, kinds[:, 0])
        lost = np.zeros(len(rows))
        for number in range(self.cluster.topology.count[Near.NODE]):
            of_kind = group == number
            kind = kinds[np.arange(len(rows)), of_kind.argmax(1)]
            lost += self._loss(cpu, memory, np.where(of_kind, idle, 0), kind)
        return lost

    def _devices(self, request: Request, row: int, first: int) -> tuple[int, ...]:
        """Return the devices of a row to take: that of a share, or the nearest of the kind of the first."""
        if request.is_share or not request.devices:
            return (first,) * request.devices
        usable = self.cluster.usable(request, row) & (self.cluster.kind[row] == self.cluster.kind[row, first])
        return self.cluster.topology.nearest(row, usable, request.near, request.devices)


def _step(gain: Floats) -> Floats:
    """Return the step of the curve that a gain falls on."""
    return np.floor(100 / (1 + np.exp(-gain / _CURVE_MILLI)))


def _distinct(usable: Bools, alike: Ints) -> tuple[Ints, Bools]:
    """Return as a choice each usable device (R, G) of a row, of those that are alike only the first."""
    roomy = usable.copy()
    for later in range(1, alike.shape[1]):
        roomy[:, later] &= ~((alike[:, :later] == alike[:, [later]]) & usable[:, :later]).any(1)
    at, device = np.nonzero(roomy)
    return at, np.arange(alike.shape[1]) == device[:, None]
