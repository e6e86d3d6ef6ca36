"""The control file: what pods play that say nothing themselves, and which nodes are silent; read while nodes run."""

import fnmatch
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.embedded.scriptednode.script import DEFAULT, BadScript, Script, annotated, script_of

_KEYS = ("default", "pods", "silent", "end_per_s")
_FASTEST_END_PER_S = 10_000


@dataclass(frozen=True)
class Control:
    """What the file says. `pods`: pattern of NAMESPACE/NAME → script, the first that fits; `silent`: patterns.

    end_per_s: how many running pods of those that never end by themselves are ended each second.
    """

    default: Script = DEFAULT
    pods: Mapping[str, Script] = field(default_factory=dict)
    silent: tuple[str, ...] = ()
    end_per_s: float = 0.0

    def script_for(self, pod: Mapping[str, Any]) -> Script:
        """Return what a pod plays. Raises BadScript for an annotation that cannot be played."""
        name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        fitting = (script for pattern, script in self.pods.items() if fnmatch.fnmatchcase(name, pattern))
        return annotated(pod, base=next(fitting, self.default))

    def silent_of(self, nodes: Iterable[str]) -> frozenset[str]:
        """Return which of these nodes are silent."""
        return frozenset(name for name in nodes if any(fnmatch.fnmatchcase(name, each) for each in self.silent))


def parse(text: str) -> Control:
    """Return what a control file says. Raises BadScript."""
    try:
        told = json.loads(text)
    except ValueError as exc:
        raise BadScript(f"no JSON: {exc}") from exc
    if not isinstance(told, dict) or set(told) - set(_KEYS):
        raise BadScript(f"a control file is a JSON object with {', '.join(_KEYS)}")
    silent = told.get("silent", [])
    if not isinstance(silent, list) or not all(isinstance(each, str) for each in silent):
        raise BadScript("silent is a list of patterns of node names")
    end_per_s = told.get("end_per_s", 0)
    if (
        isinstance(end_per_s, bool)
        or not isinstance(end_per_s, int | float)
        or not 0 <= end_per_s <= _FASTEST_END_PER_S
    ):
        raise BadScript(f"end_per_s is a number from 0 to {_FASTEST_END_PER_S}")
    default = script_of(_object(told, "default"))
    pods = {pattern: script_of(_object({pattern: one}, pattern), base=default)
            for pattern, one in _object(told, "pods").items()}  # fmt: skip
    return Control(default, pods, tuple(silent), float(end_per_s))


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name, {})
    if not isinstance(value, dict):
        raise BadScript(f"{name} is a JSON object")
    return value


class ControlFile:
    """The file at a path; one that is not there says nothing, and a broken one changes nothing."""

    def __init__(self, path: Path, *, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._seen: tuple[int, int] | None = None
        self.control = Control()

    def script_for(self, pod: Mapping[str, Any]) -> Script:
        """Return what a pod plays by what the file says now. Raises BadScript."""
        return self.control.script_for(pod)

    def look(self) -> bool:
        """Read the file again if it has changed; say whether it now says something else."""
        try:
            stat = self._path.stat()
            seen = (stat.st_mtime_ns, stat.st_ino)
            if seen == self._seen:
                return False
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            seen, text = None, "{}"
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            found = parse(text)
        except BadScript as exc:
            self._say(f"{self._path} changes nothing: {exc}")
            return False
        changed, self.control = found != self.control, found
        return changed
