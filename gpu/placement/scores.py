"""What each node is worth for a request: by how much the expected loss falls there, and at which price.

The score is the step of that fall, in hundredths of a logistic curve as in the published simulator of FGD (steps that
hardly differ count as equal), less a price for kinds of devices that others cannot do without. Scores are kept for each
class of requests; what is placed or freed makes those of one row stale.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpu.placement.arrays import Bools, Floats, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.loss import ExpectedLoss
from gpu.placement.mix import Mix, TaskClass
from gpu.placement.scarcity import scarcity_of
from gpu.placement.specs import Near, Request

SCARCE = 3.0  # steps of the curve between a kind that nobody needs and one that is all spoken for
MOST_KEPT = 512  # classes of which scores are kept: 14 bytes a node each
_CURVE_MILLI = 1_000.0
_ANYBODY = ("", True)


class _Kept(NamedTuple):
    """Scores of a class: raw gain, its step and the first device, by row, and the row's version they are of."""

    gain: npt.NDArray[np.float32]
    step: npt.NDArray[np.int8]
    device: npt.NDArray[np.int8]
    seen: Ints


class Worth(NamedTuple):
    """Of rows for a request, (R,) each: the fall of the loss in thousandths of a device, the scarcity of the kind of
    devices (0 to 1), the score made of both, and the first device that would be taken."""

    gain: npt.NDArray[np.float32]
    scarcity: Floats
    score: Floats
    device: npt.NDArray[np.int8]


class Scores:
    """The scores of a cluster's nodes under a mix, as they are now. Not for use by two threads at once."""

    def __init__(self, cluster: Cluster, mix: Mix) -> None:
        self._cluster, self._mix = cluster, mix
        self._loss = ExpectedLoss(mix, np.bincount(cluster.kind[cluster.exists], minlength=len(cluster.kinds)))
        self._mixed = np.flatnonzero((cluster.topology.group[Near.NODE] > 0).any(1))  # rows with devices of two kinds
        self._kept: dict[tuple[TaskClass, int, Near, tuple[str, bool]], _Kept] = {}
        self._now: Floats = np.zeros(len(cluster.nodes))
        self._now_of: Ints = np.full(len(cluster.nodes), -1, np.int64)
        self.reprice()

    def reprice(self) -> None:
        """Look anew at what is free of each kind and who needs it."""
        self.scarcity = scarcity_of(self._cluster, self._mix)
        for kept in self._kept.values() if len(self._mixed) else ():  # on these the price chooses the device, too
            kept.seen[self._mixed] = -1

    def forget(self) -> None:
        """Reckon everything anew from now on; what is answered is the same."""
        self._kept.clear()
        self._now_of[:] = -1

    def worth(self, request: Request, task: TaskClass, rows: Ints) -> Worth:
        """Return what rows, on which a request of that class fits, are worth for it."""
        kept = self._scored(request, task, rows)
        device, price = kept.device[rows], np.zeros(len(rows))
        if request.devices:
            price = self.scarcity[self._cluster.kind[rows, device]]
        return Worth(kept.gain[rows], price, kept.step[rows] - SCARCE * price, device)

    def lost(self, cpu: Ints, memory: Ints, idle: Ints, rows: Ints) -> Floats:
        """Return the loss of states of rows; a node of several kinds counts as one for each, with all its CPU."""
        kinds, group = self._cluster.kind[rows], self._cluster.topology.group[Near.NODE][rows]
        if not len(self._mixed):
            return self._loss(cpu, memory, idle, kinds[:, 0])
        lost = np.zeros(len(rows))
        for number in range(self._cluster.topology.count[Near.NODE]):
            of_kind = group == number
            kind = kinds[np.arange(len(rows)), of_kind.argmax(1)]
            lost += self._loss(cpu, memory, np.where(of_kind, idle, 0), kind)
        return lost

    def _scored(self, request: Request, task: TaskClass, rows: Ints) -> _Kept:
        """Return the scores of a request's class, of these rows at least as they are now."""
        guarded = self._cluster.sharers.bounds(request)
        sharer = (request.tenant, request.shares_with_others) if guarded else _ANYBODY
        key, n = (task, request.memory_mib, request.near, sharer), len(self._cluster.nodes)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            kept = self._kept[key] = _Kept(
                np.zeros(n, np.float32), np.zeros(n, np.int8), np.full(n, -1, np.int8), np.full(n, -1, np.int64)
            )
        stale = rows[kept.seen[rows] < self._cluster.version[rows]]
        if len(stale):
            first = alike = np.zeros(1, np.int64)
            if len(stale) > 1:
                _states, first, alike = np.unique(self._cluster.state[stale], return_index=True, return_inverse=True)
            gain, device = self._gains(request, stale[first])
            kept.gain[stale], kept.step[stale], kept.device[stale] = gain[alike], _step(gain)[alike], device[alike]
            kept.seen[stale] = self._cluster.version[stale]
        return kept

    def _gains(self, request: Request, rows: Ints) -> tuple[Floats, Ints]:
        """Return by how much the loss falls in these rows, in thousandths of a device, and the best (first) device.

        Rounded, so that sums taken in another order are equal.
        """
        cluster = self._cluster
        at, taken = self._choices(request, rows)
        states, idle = rows[at], cluster.idle[rows[at]]
        idle -= taken * request.share_milli
        cpu = cluster.cpu_free[states] - request.cpu_millicores
        memory = cluster.memory_free[states] - request.memory_mib
        gain = np.round(self._loss_now(rows)[at] - self.lost(cpu, memory, idle, states), 6)
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
        cluster = self._cluster
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
        cluster = self._cluster
        stale = rows[self._now_of[rows] < cluster.version[rows]]
        if len(stale):
            free, memory = cluster.cpu_free[stale], cluster.memory_free[stale]
            self._now[stale] = self.lost(free, memory, cluster.idle[stale], stale)
            self._now_of[stale] = cluster.version[stale]
        return self._now[rows]


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
