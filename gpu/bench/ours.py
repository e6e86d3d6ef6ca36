"""The placer as one of the policies of the bench."""

from gpu.bench.traces import Trace
from gpu.placement.cluster import Cluster
from gpu.placement.placer import Placer
from gpu.placement.specs import Placement, Request


class Ours:
    """A cluster that the placer fills; `seed` orders its nodes."""

    def __init__(self, trace: Trace, seed: int) -> None:
        self._placer = Placer(Cluster(trace.nodes, seed=seed))

    def place(self, request: Request) -> Placement | None:
        """Place a request; None where it is refused."""
        answer = self._placer.place(request)
        return answer if isinstance(answer, Placement) else None

    def free(self, held: Placement) -> None:
        """Give back what was placed."""
        self._placer.cluster.free(held)
