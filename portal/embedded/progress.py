"""Tells the pages how far the cluster is: one small JSON file, replaced in one step. Decides nothing."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from portal.embedded.child import Child
from portal.embedded.children import State

# Child → the stage that it is.
_STAGES = {"cluster-build": "build", "node": "node", "cluster-access": "access"}
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s?%")


class ClusterProgress:
    """Follows the cluster's children and writes `{"stage", "detail", "since", "percent"}`.

    Stages: absent, waiting, build, node, access, ready. `since` is when the stage began (UTC); `percent` may be null.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stage = ""
        self._since = ""

    def begin(self, *, stage: str, detail: str) -> None:
        """Write the first word of a run."""
        self._write(stage, detail, None)

    def on_line(self, child: str, line: str) -> None:
        """Take a line that a child printed."""
        if (stage := _STAGES.get(child)) and stage == self._stage and line.strip():
            self._write(stage, line.strip(), percent_of(line))

    def on_state(self, child: Child) -> None:
        """Take a change of a child's state."""
        stage = _STAGES.get(child.spec.name)
        if stage is None:
            return
        if child.state is State.STARTING:
            self._write(stage, child.spec.title, None)
        elif child.state is State.RETRYING:
            self._write(stage, next(iter(child.log.last_lines(1)), ""), None)
        elif child.state is State.READY and stage == "access":
            self._write("ready", "", None)

    def _write(self, stage: str, detail: str, percent: float | None) -> None:
        if stage != self._stage:
            self._stage = stage
            self._since = datetime.now(UTC).isoformat(timespec="seconds")
        said = {"stage": stage, "detail": detail, "since": self._since, "percent": percent}
        unfinished = self._path.with_name(f"{self._path.name}.new")
        unfinished.write_text(json.dumps(said) + "\n", encoding="utf-8")
        unfinished.replace(self._path)


def percent_of(line: str) -> float | None:
    """Return the first percentage in a line of progress."""
    match = _PERCENT.search(line)
    return min(100.0, float(match[1])) if match else None
