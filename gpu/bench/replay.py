"""Replays a sequence of requests against a policy: nothing leaves, and what fits nowhere is dropped."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpu.placement.specs import Request

LOADS = (95, 100, 110, 120, 130)  # per cent of all devices asked for so far


@dataclass(frozen=True, slots=True)
class Outcome:
    """The allocated part of all devices in per cent at each load, the dropped requests, milliseconds a decision."""

    at: dict[int, float]
    dropped: int
    mean_ms: float


def replay(place: Callable[[Request], object | None], requests: Sequence[Request], capacity_milli: int) -> Outcome:
    """Place one after the other; None is a request that does not fit.

    A load's figure is the mean over the requests that came at it, as published.
    """
    asked = allocated = dropped = 0
    rows = np.empty((len(requests), 2))
    spent_s = 0.0
    for number, request in enumerate(requests):
        began = time.perf_counter()
        fits = place(request) is not None
        spent_s += time.perf_counter() - began
        asked += request.milli
        allocated += request.milli if fits else 0
        dropped += not fits
        rows[number] = asked / capacity_milli * 100, allocated / capacity_milli * 100
    load = np.round(rows[:, 0])
    at = {at: float(rows[load == at, 1].mean()) for at in LOADS if (load == at).any()}
    return Outcome(at, dropped, 1_000 * spent_s / max(len(requests), 1))
