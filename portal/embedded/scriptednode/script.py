"""What a pod is to play, as its annotation or the control file says it. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

ANNOTATION = "berth.dev/script"
ENDS = ("exit", "oom", "evicted", "never")
_LONGEST_TEXT = 4_000
_FASTEST_PER_S = 100_000.0


class BadScript(ValueError):
    """A script that cannot be played; the message says what is wrong."""


@dataclass(frozen=True)
class Script:
    """One pod's part. Times in seconds.

    start_s: from the node's taking the pod to its running. run_s: how long a container runs, unless it ends `never`.
    stop_s: how long it takes to end once it is asked to. waits: a reason to wait for ever instead of starting.
    The log has `lines_at_start` lines at once and then `lines_per_s`; in `line`, {n} and {pod} are filled in.
    """

    start_s: float = 1.0
    run_s: float = 60.0
    end: str = "exit"
    exit_code: int = 0
    stop_s: float = 0.0
    waits: str = ""
    lines_at_start: int = 1
    lines_per_s: float = 0.0
    line: str = "line {n} of {pod}"

    def __post_init__(self) -> None:
        """Raise BadScript for what cannot be played."""
        if self.end not in ENDS:
            raise BadScript(f"end must be one of {', '.join(ENDS)}, not {self.end!r}")
        for name in ("start_s", "run_s", "stop_s", "lines_per_s", "lines_at_start"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise BadScript(f"{name} must be a number from 0 on")
        if not 0 <= self.exit_code <= 255:
            raise BadScript("exit_code must be from 0 to 255")
        if self.lines_per_s > _FASTEST_PER_S or len(self.line) > _LONGEST_TEXT or "\n" in self.line:
            raise BadScript(
                f"at most {_FASTEST_PER_S:.0f} lines a second, each of one line of {_LONGEST_TEXT} characters"
            )


DEFAULT = Script()
_KINDS: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "str": (str,)}
_TYPES = {each.name: _KINDS[getattr(each.type, "__name__", str(each.type))] for each in fields(Script)}


def script_of(told: Mapping[str, Any], *, base: Script = DEFAULT) -> Script:
    """Return the script that a mapping describes; what it leaves open is as in `base`. Raises BadScript."""
    for name, value in told.items():
        if name not in _TYPES:
            raise BadScript(f"a script has no {name!r}; it has {', '.join(_TYPES)}")
        if isinstance(value, bool) or not isinstance(value, _TYPES[name]):
            raise BadScript(f"{name} must be {' or '.join(each.__name__ for each in _TYPES[name])}")
    return Script(**{**vars(base), **told})


def annotated(pod: Mapping[str, Any], *, base: Script) -> Script:
    """Return the script of a pod, given the one for pods that say nothing themselves. Raises BadScript."""
    text = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
    if text is None:
        return base
    try:
        told = json.loads(text)
    except ValueError as exc:
        raise BadScript(f"{ANNOTATION} is no JSON: {exc}") from exc
    if not isinstance(told, dict):
        raise BadScript(f"{ANNOTATION} is no JSON object")
    return script_of(told, base=base)
