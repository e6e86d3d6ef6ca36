"""Plans which preemptible pods to move, so that what lies idle is of use again: a plan, nothing is changed here.

`repack` makes the expected loss of the whole cluster fall (L, see `loss`): a move from node s to node t is worth
(L(s) - L(s without the pod)) + (L(t) - L(t with it)), in thousandths of a device. Most pods' leaving makes the first
negative; what arriving is worth depends on the request alone, and the placer knows it. `moves_for` makes room for one
refused request. A pod is moved by ending it and starting it elsewhere, one after the other: each has its room when its
turn comes. Instances of partitioned devices are neither moved nor made room for.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gpu.placement.arrays import Bools, Floats, Ints
from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.specs import Placement, Request

LEAST_MILLI = 20.0  # of expected loss that a move must take away: a restart is not worth less
_BEAM = 256  # sets of holders that are grown further
_TRIES = 16  # sets of one size for whose holders room is looked for
_EQUAL_MILLI = 1.0  # moves that differ by less count as equally good


@dataclass(frozen=True, slots=True)
class Holder:
    """What runs, and whether it may be moved; pods of a gang may not, since they would be placed without the others."""

    placement: Placement
    preemptible: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """Which holder, by its index, goes from where to where."""

    holder: int
    source: Placement
    target: Placement


def repack(placer: Placer, holders: Sequence[Holder], *, moves: int, least_milli: float = LEAST_MILLI) -> list[Move]:
    """Return at most so many moves, each of which lets the expected loss fall by at least so much, the best first.

    A holder is moved once at most. Only who may be moved is, off nodes and devices that are well. Each move is the best
    that is left once those before it are made (greedy), so that a plan's beginning is a plan too.
    """
    found: list[Move] = []
    if moves < 1:
        return found
    plan = _Plan(placer, holders, for_loss=True)
    while len(found) < moves and (move := plan.next(least_milli)):
        found.append(move)
    return found


def moves_for(placer: Placer, holders: Sequence[Holder], request: Request, *, moves: int) -> list[Move] | None:
    """Return the fewest moves, at most so many, after which a refused request fits; None where none are found.

    [] where it fits as it is. All are off one node, to others that have room as they are; of several such nodes that
    one is taken where what is expected to be usable suffers least.
    """
    answer = placer.choose(request)
    if isinstance(answer, Placement):
        return []
    plan = _Plan(placer, holders, for_loss=False)
    for sets in () if answer.never or request.profile else _clearing(plan, request, moves):
        for members in plan.ranked(sets, request)[:_TRIES]:
            if found := plan.cleared(members, request):
                return found
    return None


def _clearing(plan: "_Plan", request: Request, moves: int) -> Iterator[Ints]:
    """Yield by size the sets of holders, (S, size), that have one node and leave room for the request there.

    Grown one by one from those that lack least (a beam), so that of larger sets some are not seen.
    """
    cluster, held = plan.cluster, plan.held
    allowed = cluster.admits(request)[cluster.kind] & cluster.ready[:, None]
    rows = np.arange(len(cluster.nodes))
    could = _lacking(request, plan.room(rows, held.of_all_on(rows)), allowed) == 0
    sets = np.flatnonzero(could[held.row])[:, None]
    for size in range(1, moves + 1):
        rows = held.row[sets[:, 0]]
        lack = _lacking(request, plan.room(rows, held.of_sets(sets)), allowed[rows])
        yield sets[lack == 0]
        if size < moves:
            open_sets = np.flatnonzero(lack > 0)
            nearest = np.argsort(lack[open_sets], kind="stable")[:_BEAM]
            sets = held.grown(sets[open_sets[nearest]])


class _States(NamedTuple):
    """What is free on nodes, or is held there: (S,), (S,), (S, G)."""

    cpu: Ints
    memory: Ints
    milli: Ints


def _lacking(request: Request, free: _States, allowed: Bools) -> Floats:
    """Return what is missing for a request, as parts of what it asks for, added up: (S,); `allowed` devices: (S, G)."""
    lack: Floats = np.maximum(request.cpu_millicores - free.cpu, 0) / max(request.cpu_millicores, 1)
    lack += np.maximum(request.memory_mib - free.memory, 0) / max(request.memory_mib, 1)
    if request.devices:
        largest = np.sort(free.milli * allowed, axis=1)[:, ::-1][:, : request.devices]
        lack += np.maximum(request.share_milli - largest, 0).sum(1) / request.milli
        lack += max(request.devices - free.milli.shape[1], 0)
    return lack


class _Movable:
    """Holders who may be moved and whose request, of `kinds`, has room somewhere, in the order in which they came."""

    def __init__(self, cluster: Cluster, holders: Sequence[Holder], kinds: dict[Request, int]) -> None:
        kind_of = [kinds.get(each.placement.request, -1) if each.preemptible else -1 for each in holders]
        found = [at for at, kind in enumerate(kind_of) if kind >= 0]
        rows = np.array([cluster.row_of(holders[at].placement.node) for at in found], np.int64)
        milli = np.zeros((len(found), cluster.idle.shape[1]), np.int64)
        for at, index in enumerate(found):
            milli[at, list(holders[index].placement.devices)] = holders[index].placement.request.share_milli
        well = cluster.ready[rows] & ~((milli > 0) & cluster.sick[rows]).any(1)
        self.index = [index for index, is_well in zip(found, well, strict=True) if is_well]
        self.placements = [holders[index].placement for index in self.index]
        requests = [each.request for each in self.placements]
        self.row: Ints = rows[well]
        self.kind: Ints = np.array([kind_of[at] for at in self.index], np.int64)
        cpu = np.array([request.cpu_millicores for request in requests], np.int64)
        memory = np.array([request.memory_mib for request in requests], np.int64)
        self.holds = _States(cpu, memory, milli[well])
        self._by_row: Ints = np.argsort(self.row, kind="stable")
        self._first: Ints = np.searchsorted(self.row[self._by_row], np.arange(len(cluster.nodes) + 1))

    def of_all_on(self, rows: Ints) -> _States:
        """Return what all of them together hold on each of all rows, which are given."""
        found = _States(*(np.zeros((len(rows), *held.shape[1:]), np.int64) for held in self.holds))
        for total, held in zip(found, self.holds, strict=True):
            np.add.at(total, self.row, held)
        return found

    def of_sets(self, sets: Ints) -> _States:
        """Return what the holders of each set hold together."""
        return _States(*(held[sets].sum(1) for held in self.holds))

    def grown(self, sets: Ints) -> Ints:
        """Return each set with one more of the same row, each outcome once."""
        rows = self.row[sets[:, 0]]
        count = self._first[rows + 1] - self._first[rows]
        at = np.repeat(np.arange(len(sets)), count)
        step = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
        more = self._by_row[self._first[rows[at]] + step]
        found = np.column_stack([sets[at], more])[~(sets[at] == more[:, None]).any(1)]
        return np.unique(np.sort(found, axis=1), axis=0)


class _Plan:
    """A cluster as it would be after the moves so far."""

    def __init__(self, placer: Placer, holders: Sequence[Holder], *, for_loss: bool) -> None:
        self._placer = _copy_of(placer)
        self.cluster = self._placer.cluster
        placements = [each.placement for each in holders if each.preemptible and not each.placement.request.profile]
        requests = dict.fromkeys(each.request for each in placements)
        gains = {request: self._gain(request) for request in requests}
        self._requests = [request for request, gain in gains.items() if np.isfinite(gain)]
        self._arriving: Floats = np.array([gains[request] for request in self._requests], np.float64)
        self._is_fresh = True
        self.held = _Movable(self.cluster, holders, {request: at for at, request in enumerate(self._requests)})
        self._settled = np.zeros(len(self.held.index), bool)
        self._leaving: Floats = self._worth_of_leaving(np.arange(len(self._settled) if for_loss else 0))

    def room(self, rows: Ints, given_back: _States | None = None) -> _States:
        """Return what is free on these rows, or would be with so much given back."""
        free = _States(self.cluster.cpu_free[rows], self.cluster.memory_free[rows], self.cluster.idle[rows])
        back = given_back or _States(*(np.zeros_like(now) for now in free))
        return _States(*(now + more for now, more in zip(free, back, strict=True)))

    def next(self, least_milli: float) -> Move | None:
        """Make and return the best move; None where none is worth so much.

        What arriving elsewhere gives is kept by request, and is looked up anew for the holder that seems to be the
        best, and for all when nothing seems to be worth it.
        """
        while len(self._settled):
            hoped = self._leaving + self._arriving[self.held.kind]
            hoped[self._settled] = -np.inf
            at = int(np.argmax(hoped))
            if hoped[at] >= least_milli:
                if move := self._tried(at, max(least_milli, float(hoped[at]) - _EQUAL_MILLI)):
                    return move
            elif self._is_fresh:
                return None
            else:
                self._arriving = np.array([self._gain(request) for request in self._requests], np.float64)
                self._is_fresh = True
        return None

    def ranked(self, sets: Ints, request: Request) -> list[Ints]:
        """Return the sets in the order of what their moves and the request's placement give, the best first."""
        rows = self.held.row[sets[:, 0]]
        free = self.room(rows, self.held.of_sets(sets))
        before = self._loss(rows, self.room(rows))
        worth = before - self._loss(rows, _without(free, request)) + self._arriving[self.held.kind[sets]].sum(1)
        return [sets[at] for at in np.argsort(-worth, kind="stable")]

    def cleared(self, members: Ints, request: Request) -> list[Move] | None:
        """Make the moves of these holders, the largest first, if all find room and the request then fits."""
        here = np.arange(len(self.cluster.nodes)) == self.held.row[members[0]]
        size = self.held.holds.milli[members].sum(1)
        made: list[Move] = []
        for at in members[np.argsort(-size, kind="stable")]:
            source = self.held.placements[at]
            target = self._placer.choose(source.request, ~here)
            if not isinstance(target, Placement):
                break
            self.cluster.free(source)
            self.cluster.take(target)
            made.append(Move(self.held.index[at], source, target))
        if len(made) == len(members) and isinstance(self._placer.choose(request, here), Placement):
            return made
        for move in reversed(made):
            self.cluster.free(move.target)
            self.cluster.take(move.source)
        return None

    def _tried(self, at: int, least_milli: float) -> Move | None:
        """Make a holder's best move if it is worth so much."""
        source = self.held.placements[at]
        self.cluster.free(source)
        target = self._placer.choose(source.request)
        if isinstance(target, Placement) and self._leaving[at] + target.terms.gain_milli >= least_milli:
            self.cluster.take(target)
            self._settled[at], self._is_fresh = True, False
            rows = [self.cluster.row_of(source.node), self.cluster.row_of(target.node)]
            changed = np.flatnonzero(np.isin(self.held.row, rows) & ~self._settled)
            self._leaving[changed] = self._worth_of_leaving(changed)
            return Move(self.held.index[at], source, target)
        self.cluster.take(source)
        self._arriving[self.held.kind[at]] = gain = self._gain(source.request)
        self._settled[at] = self._leaving[at] + gain >= least_milli  # with it gone, the placer prefers another place
        return None

    def _gain(self, request: Request) -> float:
        answer = self._placer.choose(request)
        return answer.terms.gain_milli if isinstance(answer, Placement) else -np.inf

    def _worth_of_leaving(self, which: Ints) -> Floats:
        """Return by how much the loss falls where each of these leaves; most often it rises."""
        row = self.held.row[which]
        rows, of_row = np.unique(row, return_inverse=True)
        left = self.room(row, self.held.of_sets(which[:, None]))
        return self._loss(rows, self.room(rows))[of_row] - self._loss(row, left)

    def _loss(self, rows: Ints, free: _States) -> Floats:
        """Return the expected loss of states of these rows, each distinct one reckoned once."""
        states = np.column_stack([*free, self.cluster.kind[rows], self.cluster.plain[rows]])
        _states, first, alike = np.unique(states, axis=0, return_index=True, return_inverse=True)
        cpu, memory, idle = (part[first] for part in free)
        return self._placer.scores.lost(cpu, memory, idle, rows[first])[alike]


def _without(free: _States, request: Request) -> _States:
    """Return what is free once a request holds the fullest devices that have room for it."""
    milli = free.milli.copy()
    if request.devices:
        roomy = np.where(milli >= request.share_milli, milli, np.iinfo(np.int64).max)
        chosen = np.argsort(roomy, axis=1, kind="stable")[:, : request.devices]
        np.put_along_axis(milli, chosen, np.take_along_axis(milli, chosen, 1) - request.share_milli, 1)
    return _States(free.cpu - request.cpu_millicores, free.memory - request.memory_mib, milli)


def _copy_of(placer: Placer) -> Placer:
    """Return a placer that has learned the same, on a cluster of its own."""
    return copy.deepcopy(placer, {id(placer.cluster): placer.cluster.copy(), id(placer.learner): placer.learner})
