"""Replays what comes to a cluster against a policy: nothing leaves, and what fits nowhere is dropped."""

import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from gpu.bench.churn import Places
from gpu.bench.traces import Trace
from gpu.placement.specs import Gang, Request

LOADS = (95, 100, 110, 120, 130)  # per cent of all devices asked for so far
Arrival = Request | Gang


class Contender(Places, Protocol):
    """Who places gangs as well, and is told of sick devices."""

    def place_gang(self, gang: Gang) -> list[Any] | None:
        """Return what each of its pods holds from now on, or None: all of them or none."""

    def device_sick(self, node: str, device: int) -> None:
        """Place nothing on a device from now on; who holds it keeps it."""


@dataclass(frozen=True, slots=True)
class Sickness:
    """A device that turns sick once a part of what comes has come, 0 to 1."""

    part: float
    node: str
    device: int


@dataclass(frozen=True, slots=True)
class Run:
    """A cluster, what comes to it in turn, and what happens meanwhile."""

    trace: Trace
    coming: tuple[Arrival, ...]
    sick: tuple[Sickness, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The allocated part of all devices in per cent at each load, what was dropped, milliseconds a pod.

    `when_full` is that part at the moment when one request more would ask for more devices than there are: what the
    linear bound bounds. All devices are those of the cluster, the ones that turned sick included. A gang that is
    dropped counts once.
    """

    at: dict[int, float]
    when_full: float
    dropped: int
    mean_ms: float


def replay(policy: Contender, run: Run) -> Outcome:
    """Place one after the other.

    A load's figure is the mean over what came at it, as published; if nothing came just then, what held before it.
    """
    capacity_milli, due = run.trace.capacity_milli, sorted(run.sick, key=lambda found: found.part, reverse=True)
    asked = allocated = dropped = pods = 0
    rows = np.empty((len(run.coming), 2))
    spent_s = 0.0
    for number, arrival in enumerate(run.coming):
        while due and due[-1].part * len(run.coming) <= number:
            turned = due.pop()
            policy.device_sick(turned.node, turned.device)
        began = time.perf_counter()
        fits = (policy.place_gang(arrival) if isinstance(arrival, Gang) else policy.place(arrival)) is not None
        spent_s += time.perf_counter() - began
        asked += milli_of(arrival)
        allocated += milli_of(arrival) if fits else 0
        dropped += not fits
        pods += pods_of(arrival)
        rows[number] = asked / capacity_milli * 100, allocated / capacity_milli * 100
    within = rows[rows[:, 0] <= 100, 1]  # asked for only grows
    when_full = float(within[-1]) if len(within) else 0.0
    return Outcome({load: _at(load, rows) for load in LOADS}, when_full, dropped, 1_000 * spent_s / max(pods, 1))


def pods_of(arrival: Arrival) -> int:
    """Return of how many pods it is."""
    return arrival.pods if isinstance(arrival, Gang) else 1


def milli_of(arrival: Arrival) -> int:
    """Return how much of devices it asks for, in thousandths of one."""
    return arrival.pods * arrival.request.milli if isinstance(arrival, Gang) else arrival.milli


def _at(load: int, rows: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    at = np.round(rows[:, 0])
    if (at == load).any():
        return float(rows[at == load, 1].mean())
    before = np.flatnonzero(at < load)
    return float(rows[before[-1], 1]) if len(before) else 0.0
