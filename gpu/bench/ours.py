"""The placer as one of the policies of the bench."""

from collections.abc import Sequence

from gpu.bench.traces import Trace
from gpu.placement.cluster import Cluster
from gpu.placement.gangs import place_gang
from gpu.placement.placer import Placer
from gpu.placement.specs import Gang, Placement, Refusal, Request


class Ours:
    """A cluster that the placer fills; `seed` orders its nodes."""

    def __init__(self, trace: Trace, seed: int) -> None:
        self._placer = Placer(Cluster(trace.nodes, seed=seed))

    def watch(self, requests: Sequence[Request]) -> None:
        """See requests come, as one that runs for long has; nothing is placed."""
        watch(self._placer, requests)

    def place(self, request: Request) -> Placement | None:
        """Place a request; None where it is refused."""
        answer = self._placer.place(request)
        return answer if isinstance(answer, Placement) else None

    def place_gang(self, gang: Gang) -> list[Placement] | None:
        """Place all pods of a gang; None where it is refused."""
        answer = place_gang(self._placer, gang)
        return None if isinstance(answer, Refusal) else answer

    def free(self, held: Placement) -> None:
        """Give back what was placed."""
        self._placer.cluster.free(held)

    def device_sick(self, node: str, device: int) -> None:
        """Take a device out of placement."""
        self._placer.cluster.device_sick(node, device)


def watch(placer: Placer, requests: Sequence[Request]) -> None:
    """Let a placer see requests, but those that its cluster could never hold."""
    answers = {request: placer.choose(request) for request in dict.fromkeys(requests)}
    for request in requests:
        answer = answers[request]
        if isinstance(answer, Placement) or not answer.never:
            placer.observe(request)
