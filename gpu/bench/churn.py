"""Replays requests that come and go: at random moments, each for as long as one of the trace's pods lived.

A request that fits nowhere when it comes is lost, so that more is allocated by who has room for more of them. It begins
with what would be running if this had gone on for long: pods drawn by how long they live, each somewhere in its life.
Lives in traces differ so much that from an empty cluster it would take years to come to that.
"""

import heapq
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from gpu.bench.traces import Trace
from gpu.placement.arrays import Floats, Ints


class Places(Protocol):
    """Who places requests and takes them back."""

    def place(self, request: Any) -> Any | None:
        """Return what a request holds from now on, or None."""

    def free(self, held: Any) -> None:
        """Take it back."""


def mean_allocation(policy: Places, trace: Trace, *, load: float, requests: int, seed: int) -> float:
    """Return the allocated part of all devices in per cent, averaged over the time in which so many requests come.

    `load` is what is asked for on average at a time, as a part of all devices: requests come at random (a Poisson
    process) at the rate that makes it so. Raises ValueError for a trace without lifetimes.
    """
    if not trace.lifetimes_s:
        raise ValueError(f"the trace {trace.name} does not say how long its pods lived")
    rng = np.random.default_rng(seed)
    milli, lives_s = np.array([request.milli for request in trace.requests]), np.array(trace.lifetimes_s, np.float64)
    came_s = np.cumsum(rng.exponential((milli * lives_s).mean() / (load * trace.capacity_milli), requests))
    drawn = rng.integers(len(milli), size=requests)
    coming = [(0.0, index, left_s) for index, left_s in _at_first(milli, lives_s, load * trace.capacity_milli, rng)]
    coming += zip(came_s.tolist(), drawn.tolist(), lives_s[drawn].tolist(), strict=True)
    running: list[tuple[float, int, Any]] = []
    held_milli_s = 0.0
    for number, (now_s, index, left_s) in enumerate(coming):
        while running and running[0][0] <= now_s:
            policy.free(heapq.heappop(running)[2])
        held = policy.place(trace.requests[index])
        if held is not None:
            heapq.heappush(running, (now_s + left_s, number, held))
            held_milli_s += float(milli[index]) * (min(now_s + left_s, came_s[-1]) - now_s)
    return float(100 * held_milli_s / (trace.capacity_milli * came_s[-1]))


def _at_first(
    milli: Ints, lives_s: Floats, wanted_milli: float, rng: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Draw what runs at a moment: (index, seconds left), more often what lives long, until so much is asked for."""
    part = lives_s / lives_s.sum()
    asked = 0.0
    while asked < wanted_milli:
        index = int(rng.choice(len(part), p=part))
        asked += float(milli[index])
        yield index, float(lives_s[index] * rng.random())
