"""What repacking gives: ours with it beside ours without, on the same requests and the same order of the nodes (B7).

Once most of the devices are held a plan is made, and carried out at once, whenever a little more of them was given out.
Never were more pods moved than `BUDGET` of those that were placed until then, and the budget opens bit by bit, so that
it is spent on the best moves of each moment. What was refused stays refused.
"""

import time
from collections.abc import Sequence

from gpu.bench.ours import watch
from gpu.bench.traces import Trace
from gpu.placement.cluster import Cluster
from gpu.placement.gangs import place_gang
from gpu.placement.placer import Placer
from gpu.placement.repacking import Holder, Move, repack
from gpu.placement.specs import Gang, Placement, Refusal, Request

BUDGET = 0.05  # moves to pods that were placed
FROM, TO = 0.8, 0.93  # of all devices: held when it begins, and when all of the budget may be spent
EVERY = 0.002  # of all devices: given out between two plans
LEAST_MILLI = 10.0


class Repacked:
    """A cluster that the placer fills and that is repacked meanwhile; one in `each` pods may be moved."""

    def __init__(self, trace: Trace, seed: int, *, each: int = 1) -> None:
        self._placer = Placer(Cluster(trace.nodes, seed=seed))
        self._capacity_milli, self._each = trace.capacity_milli, each
        self._held: dict[int, Holder] = {}
        self._milli = self._since_plan_milli = 0
        self.placed = self.moved = 0
        self.plan_s: list[float] = []

    def watch(self, requests: Sequence[Request]) -> None:
        """See requests come, as one that runs for long has; nothing is placed."""
        watch(self._placer, requests)

    @property
    def moved_pct(self) -> float:
        """How many moves there were for each hundred pods that were placed."""
        return 100 * self.moved / max(self.placed, 1)

    def place(self, request: Request) -> int | None:
        """Place a request, repack when it is time to; return what to `free` it by, None where it is refused."""
        answer = self._placer.place(request)
        return None if isinstance(answer, Refusal) else self._holds(answer)

    def place_gang(self, gang: Gang) -> list[int] | None:
        """Place all pods of a gang, which are not moved later; None where it is refused."""
        answer = place_gang(self._placer, gang)
        return None if isinstance(answer, Refusal) else [self._holds(each, movable=False) for each in answer]

    def free(self, held: int) -> None:
        """Give back what was placed, wherever it is by now."""
        placement = self._held.pop(held).placement
        self._milli -= placement.request.milli
        self._placer.cluster.free(placement)

    def device_sick(self, node: str, device: int) -> None:
        """Take a device out of placement."""
        self._placer.cluster.device_sick(node, device)

    def _holds(self, placement: Placement, *, movable: bool = True) -> int:
        number, milli = self.placed, placement.request.milli
        self._held[number] = Holder(placement, preemptible=movable and number % self._each == 0)
        self.placed += 1
        self._milli += milli
        self._since_plan_milli += milli
        if self._milli >= FROM * self._capacity_milli and self._since_plan_milli >= EVERY * self._capacity_milli:
            self._since_plan_milli = 0
            self._repack()
        return number

    def _repack(self) -> None:
        numbers = list(self._held)
        opened = min(1.0, (self._milli / self._capacity_milli - FROM) / (TO - FROM))
        budget = int(BUDGET * opened * self.placed) - self.moved
        began = time.perf_counter()
        moves = repack(self._placer, list(self._held.values()), moves=budget, least_milli=LEAST_MILLI)
        self.plan_s.append(time.perf_counter() - began)
        for move in moves:
            self._carry_out(numbers[move.holder], move)

    def _carry_out(self, number: int, move: Move) -> None:
        self._placer.cluster.free(move.source)
        self._placer.cluster.take(move.target)
        self._held[number] = Holder(move.target)
        self.moved += 1
