"""Published policies on the same cluster and requests, each a score of the nodes that fit; the highest wins, the first
by name among equals, as in the published simulator.

`FGD`: Weng et al., "Beware of Fragmentation" (USENIX ATC 2023); its classes are those that make up a part of the whole
trace, which it is told. `BEST_FIT`, `DOT_PRODUCT`, `PACKING` and `RANDOM` as that simulator has them. Nothing of the
placer is used but its words, so that a fault there does not hide here. None of them knows gangs, sick devices or
tenants: the pods of a gang are placed one by one and taken back if one is left over, a sick device is not idle, and
devices whose holders do not share with the one that asks are passed over.
"""

import enum
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gpu.bench.holders import Holders
from gpu.bench.traces import Key, Trace, key_of, model_of
from gpu.placement.arrays import Bools, Floats, Ints
from gpu.placement.specs import WHOLE, Gang, Request

_LARGEST_CPU, _LARGEST_MILLI = 128_000, 8_000  # of a node: what CPU and devices are divided by


class Policy(enum.StrEnum):
    """What nodes are scored by."""

    RANDOM = "random"
    DOT_PRODUCT = "dot-product"
    PACKING = "packing"
    BEST_FIT = "best-fit"
    FGD = "fgd"


class Fragmentation:
    """The expected fragmentation of node states under the most popular classes of a trace."""

    def __init__(self, requests: Sequence[Request], models: Sequence[str], popularity: float) -> None:
        count = Counter(key_of(request) for request in requests)
        kept: list[tuple[Key, int]] = []
        reached = 0
        for key, n in sorted(count.items(), key=lambda found: (-found[1], found[0][:3], sorted(found[0][3]))):
            if reached >= popularity * len(requests):
                break
            kept.append((key, n))
            reached += n
        classes = [(key, n / reached) for key, n in kept if key[1]]
        self._cpu_only = 1 - sum(part for _key, part in classes)
        self._part: Floats = np.array([part for _key, part in classes])
        self._cpu = np.array([key[0] for key, _part in classes])
        self._devices = np.array([key[1] for key, _part in classes])
        self._levels, self._level = np.unique([key[2] for key, _part in classes], return_inverse=True)
        self._admits = np.array([[not key[3] or model in key[3] for key, _part in classes] for model in models])

    def __call__(self, cpu: Ints, idle: Ints, model: Ints) -> Floats:
        """Return the fragmentation of each state in thousandths of a device: cpu, model (S,), idle (S, G) → (S,)."""
        large = idle[:, :, None] >= self._levels
        total = idle.sum(1)
        small = total[:, None] - np.einsum("sg,sgl->sl", idle, large)
        fits = (cpu[:, None] >= self._cpu) & (large.sum(1)[:, self._level] >= self._devices) & self._admits[model]
        lost: Floats = np.where(fits, small[:, self._level], total[:, None]) @ self._part + self._cpu_only * total
        return lost


class Held(NamedTuple):
    """What a request holds: devices of a row, which is the node of that name."""

    request: Request
    row: int
    devices: list[int]
    node: str


class Baseline:
    """A cluster that one of the policies fills."""

    def __init__(self, trace: Trace, policy: Policy, *, popularity: float = 0.95, seed: int = 0) -> None:
        models = sorted({model_of(node) for node in trace.nodes})
        width = max(len(node.devices) for node in trace.nodes)
        self._policy, self._rng = policy, np.random.default_rng(seed)
        self._cpu: Ints = np.array([node.cpu_millicores for node in trace.nodes])
        self._memory: Ints = np.array([node.memory_mib for node in trace.nodes])
        self._count: Ints = np.array([len(node.devices) for node in trace.nodes])
        self._left: Ints = (np.arange(width) < self._count[:, None]) * np.int64(WHOLE)
        self._idle, self._sick = self._left.copy(), np.zeros(self._left.shape, bool)
        self._holders = Holders(self._left.shape) if any(request.tenant for request in trace.requests) else None
        self._model: Ints = np.array([models.index(model_of(node)) for node in trace.nodes])
        self._row = {node.name: row for row, node in enumerate(trace.nodes)}
        self._node = [node.name for node in trace.nodes]
        self._names, self._admitted = models, dict[frozenset[str], Bools]()
        self._version: Ints = np.zeros(len(self._cpu), np.int64)
        self._changes = 1
        if policy is Policy.FGD:
            self._fragmentation = Fragmentation(trace.requests, models, popularity)
            self._now = self._fragmentation(self._cpu, self._idle, self._model)
            self._kept: dict[tuple[Key, str, bool], tuple[Floats, Ints, Ints]] = {}

    def place(self, request: Request) -> Held | None:
        """Place a request, and return what it holds; None if it fits nowhere."""
        idle = self._idle_for(request)
        rows = self._fitting(request, idle)
        if not len(rows):
            return None
        scores, devices = self._scores(request, rows, idle)
        equal = np.flatnonzero(scores >= scores.max() - 1e-9)
        at = int(self._rng.choice(equal) if self._policy is Policy.RANDOM else equal[0])
        row = int(rows[at])
        chosen = self._devices(request, idle[row], None if devices is None else int(devices[at]))
        held = Held(request, row, chosen, self._node[row])
        self._move(held, -1)
        return held

    def place_gang(self, gang: Gang) -> list[Held] | None:
        """Place its pods one by one; where one fits nowhere give back those before it, and return None."""
        found: list[Held] = []
        for _pod in range(gang.pods):
            held = self.place(gang.request)
            if held is None:
                for before in reversed(found):
                    self.free(before)
                return None
            found.append(held)
        return found

    def free(self, held: Held) -> None:
        """Give back what was placed; what sick devices get back stays withheld."""
        self._move(held, 1)

    def device_sick(self, node: str, device: int) -> None:
        """Take a device out of placement; who holds it keeps it."""
        row = self._row[node]
        self._sick[row, device] = True
        self._changed(row)

    def _idle_for(self, request: Request) -> Ints:
        """Return what is idle on devices that a request may be on: (N, G)."""
        if self._holders is None or not request.is_share:
            return self._idle
        found: Ints = np.where(self._holders.admits(request), self._idle, 0)
        return found

    def _fitting(self, request: Request, idle: Ints) -> Ints:
        fits = (self._cpu >= request.cpu_millicores) & (self._memory >= request.memory_mib)
        if request.devices:
            fits &= (idle >= request.share_milli).sum(1) >= request.devices
        if request.models:
            if request.models not in self._admitted:
                admitted = np.array([name in request.models for name in self._names])
                self._admitted[request.models] = admitted[self._model]
            fits &= self._admitted[request.models]
        return np.flatnonzero(fits)

    def _scores(self, request: Request, rows: Ints, idle: Ints) -> tuple[Floats, Ints | None]:
        if self._policy is Policy.FGD:
            return self._descent(request, rows, idle)
        if self._policy is Policy.RANDOM:
            return np.zeros(len(rows)), None
        if self._policy is Policy.PACKING:
            return _packing(request, idle[rows], self._count[rows]), None
        free = self._idle[rows].sum(1)
        if self._policy is Policy.BEST_FIT:
            return _best_fit(request, self._cpu[rows], free), None
        dot = self._cpu[rows] * request.cpu_millicores / _LARGEST_CPU**2 + free * request.milli / _LARGEST_MILLI**2
        return np.trunc((1 - dot / 2) * 100), None

    def _descent(self, request: Request, rows: Ints, idle: Ints) -> tuple[Floats, Ints]:
        its_own = self._holders is not None and request.is_share  # which devices will do is another for each tenant
        tenant, shares = (request.tenant, request.shares_with_others) if its_own else ("", True)
        key, n = (key_of(request), tenant, shares), len(self._cpu)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = (np.zeros(n), np.zeros(n, np.int64), np.full(n, -1, np.int64))
        score, device, seen = kept
        stale = rows[seen[rows] < self._version[rows]]
        if len(stale):
            score[stale], device[stale] = self._steps(request, stale, idle)
            seen[stale] = self._version[stale]
        return score[rows], device[rows]

    def _steps(self, request: Request, rows: Ints, allowed: Ints) -> tuple[Floats, Ints]:
        if request.is_share:
            at, device = _distinct(allowed[rows], request.share_milli)
            idle = self._idle[rows[at]]
            idle[np.arange(len(at)), device] -= request.share_milli
        else:
            at, device = np.arange(len(rows)), np.zeros(len(rows), np.int64)
            idle = self._idle[rows]
            whole = idle >= WHOLE
            idle[whole & (np.cumsum(whole, 1) <= request.devices)] -= WHOLE
        states = rows[at]
        after = self._fragmentation(self._cpu[states] - request.cpu_millicores, idle, self._model[states])
        step = np.floor(100 / (1 + np.exp(-np.round(self._now[states] - after, 6) / 1_000)))
        order = np.lexsort((device, -step, at))
        first = order[np.r_[True, at[order][1:] != at[order][:-1]]]
        return step[first], device[first]

    def _devices(self, request: Request, idle: Ints, device: int | None) -> list[int]:
        if not request.is_share:
            return [int(found) for found in np.flatnonzero(idle == WHOLE)[: request.devices]]
        return [self._share_device(idle, request.share_milli) if device is None else device]

    def _move(self, held: Held, sign: int) -> None:
        request, row = held.request, held.row
        self._left[row, held.devices] += sign * request.share_milli
        self._cpu[row] += sign * request.cpu_millicores
        self._memory[row] += sign * request.memory_mib
        if self._holders is not None and request.is_share:
            self._holders.change(request, (row, held.devices[0]), -sign)
        self._changed(row)

    def _changed(self, row: int) -> None:
        self._idle[row] = np.where(self._sick[row], 0, self._left[row])
        self._changes += 1
        self._version[row] = self._changes
        if self._policy is Policy.FGD:
            one = slice(row, row + 1)
            self._now[row] = self._fragmentation(self._cpu[one], self._idle[one], self._model[one])[0]

    def _share_device(self, idle: Ints, share_milli: int) -> int:
        roomy = np.flatnonzero(idle >= share_milli)
        if self._policy is Policy.RANDOM:
            return int(self._rng.choice(roomy))
        return int(roomy[np.argmin(idle[roomy])])


def _best_fit(request: Request, cpu: Ints, free: Ints) -> Floats:
    """Return the fullest nodes highest, scaled to 0 to 100 in whole steps."""
    left = 0.5 * (cpu - request.cpu_millicores) / _LARGEST_CPU + 0.5 * (free - request.milli) / _LARGEST_MILLI
    score = np.trunc((1 - left) * 100)
    low, high = score.min(), score.max()
    scaled: Floats = (score - low) * 100 // (high - low) if high > low else score * 0
    return scaled


def _packing(request: Request, idle: Ints, count: Ints) -> Floats:
    """Return devices in use before free ones of nodes in use before free nodes."""
    if not request.devices:
        return np.zeros(len(idle))
    free = (idle == WHOLE).sum(1)
    part = np.where((idle >= request.share_milli) & (idle < WHOLE), idle, 10**6).min(1)
    fits_part = (request.devices == 1) & (part < 10**6)
    score = np.where(fits_part, 100 - (part * 100 // WHOLE) // 10, max(50 - request.devices, 33))
    found: Floats = np.where(free == count, np.maximum(33 - free, free), score).astype(np.float64)
    return found


def _distinct(idle: Ints, share_milli: int) -> tuple[Ints, Ints]:
    at, device = np.nonzero(idle >= share_milli)
    amount = idle[at, device]
    first = np.ones(len(at), bool)
    for back in range(1, idle.shape[1]):
        far = device >= back
        first[far] &= idle[at[far], device[far] - back] != amount[far]
    return at[first], device[first]
