"""What is asked for lately: classes of requests with their weights, learned from a window of recent ones.

Nothing here is read off a trace. Until `FIRST_SAMPLES` requests were seen the mix is a guess at an ordinary one.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gpu.placement.specs import Request

FIRST_SAMPLES = 200
WINDOW = 20_000  # requests; while a cluster fills 500 do as well, where pods come and go more are better
LOOK_EVERY = 500
DRIFT = 0.1  # of the requests that would have to be of another class for the mix to be learned anew


class TaskClass(NamedTuple):
    """Requests that are alike for placement; `kinds` is a bit set of the kinds of devices that will do."""

    cpu_millicores: int
    devices: int
    share_milli: int
    kinds: int


class Weighted(NamedTuple):
    """A class, its part of all requests (0 to 1), and the memory that its requests ask for on average, in MiB."""

    task: TaskClass
    weight: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Mix:
    """The classes that ask for devices, and the part of requests that ask for none."""

    classes: tuple[Weighted, ...]
    cpu_only: float


def class_of(request: Request, kinds: int) -> TaskClass:
    """Return a request's class; `kinds` is 0 where it asks for no devices."""
    share = request.share_milli if request.devices else 0
    return TaskClass(request.cpu_millicores, request.devices, share, kinds if request.devices else 0)


@dataclass(slots=True)
class Learner:
    """Counts the last `WINDOW` requests, placed or not, and says when they are no longer those of the mix it gave."""

    seen: int = 0
    _window: deque[tuple[TaskClass, int]] = field(default_factory=deque)
    _count: Counter[TaskClass] = field(default_factory=Counter)
    _memory: Counter[TaskClass] = field(default_factory=Counter)
    _given: dict[TaskClass, float] = field(default_factory=dict)

    def observe(self, task: TaskClass, memory_mib: int) -> bool:
        """Count a request; tell whether the mix is due to be learned."""
        self._window.append((task, memory_mib))
        self._count[task] += 1
        self._memory[task] += memory_mib
        if len(self._window) > WINDOW:
            gone, its_memory = self._window.popleft()
            self._count[gone] -= 1
            self._memory[gone] -= its_memory
            if not self._count[gone]:
                del self._count[gone], self._memory[gone]
        self.seen += 1
        return (self.seen == FIRST_SAMPLES or self.seen % LOOK_EVERY == 0) and self._drift() > DRIFT

    def mix(self) -> Mix:
        """Return the mix of the window, from which drift is told from now on."""
        self._given = self._parts()
        return mix_of(self._count, self._memory)

    def _parts(self) -> dict[TaskClass, float]:
        return {task: n / len(self._window) for task, n in self._count.items()}

    def _drift(self) -> float:
        """Return the total variation distance between the mix that was given and that of the window."""
        now = self._parts()
        return sum(abs(now.get(task, 0) - self._given.get(task, 0)) for task in {*now, *self._given}) / 2


def mix_of(count: Mapping[TaskClass, int], memory_mib: Mapping[TaskClass, int]) -> Mix:
    """Return the mix of so many requests of each class that ask for so much memory together."""
    total = sum(count.values())
    of_devices = [(task, n) for task, n in sorted(count.items()) if task.devices]
    classes = tuple(Weighted(task, n / total, memory_mib[task] / n) for task, n in of_devices)
    return Mix(classes, 1 - sum(found.weight for found in classes))


def usual_mix(all_kinds: int) -> Mix:
    """Return what an ordinary cluster is asked for: mostly single devices, some shares, whole nodes and no devices."""
    guess = {
        TaskClass(4_000, 1, 1_000, all_kinds): (4, 8_192),
        TaskClass(8_000, 1, 500, all_kinds): (2, 16_384),
        TaskClass(32_000, 8, 1_000, all_kinds): (1, 65_536),
        TaskClass(8_000, 0, 0, 0): (1, 8_192),
    }
    counts = {task: n for task, (n, _memory) in guess.items()}
    return mix_of(counts, {task: n * memory for task, (n, memory) in guess.items()})
