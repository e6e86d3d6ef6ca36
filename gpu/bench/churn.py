"""Replays requests that come and go: at random moments, each for as long as one of the trace's pods lived.

A request that fits nowhere when it comes is lost, so that more is allocated by who has room for more of them.
"""

import heapq
from typing import Any, Protocol

import numpy as np

from gpu.bench.traces import Trace

WARM_UP = 1 / 3  # of the requests: until then the cluster fills


class Places(Protocol):
    """Who places requests and takes them back."""

    def place(self, request: Any) -> Any | None:
        """Return what a request holds from now on, or None."""

    def free(self, held: Any) -> None:
        """Take it back."""


def mean_allocation(policy: Places, trace: Trace, *, load: float, requests: int, seed: int) -> float:
    """Return the allocated part of all devices in per cent, averaged over time after the warm-up.

    `load` is what is asked for on average at a time, as a part of all devices: requests come at random (a Poisson
    process) at the rate that makes it so. Raises ValueError for a trace without lifetimes.
    """
    if not trace.lifetimes_s:
        raise ValueError(f"the trace {trace.name} does not say how long its pods lived")
    rng = np.random.default_rng(seed)
    asked = np.array([request.milli for request in trace.requests]) * np.array(trace.lifetimes_s)
    came_s = np.cumsum(rng.exponential(asked.mean() / (load * trace.capacity_milli), requests))
    drawn = rng.integers(len(trace.requests), size=requests)
    begin_s, end_s = came_s[int(requests * WARM_UP)], came_s[-1]
    running: list[tuple[float, int, Any]] = []
    held_milli_s = 0.0
    for number, (now_s, index) in enumerate(zip(came_s.tolist(), drawn.tolist(), strict=True)):
        while running and running[0][0] <= now_s:
            policy.free(heapq.heappop(running)[2])
        request, leaves_s = trace.requests[index], now_s + trace.lifetimes_s[index]
        held = policy.place(request)
        if held is not None:
            heapq.heappush(running, (leaves_s, number, held))
            held_milli_s += request.milli * max(0.0, min(leaves_s, end_s) - max(now_s, begin_s))
    return float(100 * held_milli_s / (trace.capacity_milli * (end_s - begin_s)))
