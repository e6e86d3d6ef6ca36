"""What the supervisor is told about a child: data only. Plans build these, the supervisor obeys them."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Restart(Enum):
    """What happens when a child ends by itself."""

    ALWAYS = "always"  # a service: again, with back-off
    UNTIL_SUCCESS = "until success"  # a background step: again, with back-off, until it exits with 0
    NEVER = "never"  # a step that everything waits for: its failure ends the start


class State(Enum):
    """Where a child is; the values are written to up.json."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RETRYING = "retrying"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class ResultOf:
    """Stands in a command line for what another child said when it became ready."""

    child: str


@dataclass(frozen=True)
class AtOnce:
    """Ready as soon as it runs."""


@dataclass(frozen=True)
class OnExit:
    """Ready when it has ended with 0; its result is its last line of output."""


@dataclass(frozen=True)
class OnLine:
    """Ready when it prints a line that begins with `prefix`; its result is the rest of the line."""

    prefix: str


@dataclass(frozen=True)
class OnProbe:
    """Ready when `probe` says so; called often, so it must answer within about half a second."""

    probe: Callable[[], bool]


Readiness = AtOnce | OnExit | OnLine | OnProbe


@dataclass(frozen=True)
class ChildSpec:
    """One program that the supervisor runs. `title` is how people read its name; `after` names what must be ready."""

    name: str
    title: str
    argv: tuple[str | ResultOf, ...]
    after: tuple[str, ...] = ()
    ready: Readiness = AtOnce()
    restart: Restart = Restart.ALWAYS
    env: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what it gets when the supervisor itself is killed
    stop_whole_group: bool = True  # False: its first process stops the others itself, in its own order
    grace_s: float = 10.0
    niceness: int = 0
    leave_root: bool = False
    announced: bool = True  # whether the console says when it is ready
