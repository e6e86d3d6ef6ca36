"""up.json and its lock: one `up` a data directory, and enough on disk to end what a killed one left behind."""

import fcntl
import json
import os
import signal
import uuid
from pathlib import Path
from typing import Any

from portal.embedded.errors import StartError
from portal.embedded.processes import ProcessId, boot_id, end_all, identify, with_environment

DIR_MARK = "BERTH_UP_DIR"
RUN_MARK = "BERTH_UP_RUN"
_GRACE_S = 8.0
_IN_USE = 3


class StateFile:
    """Holds the data directory for one running `up`."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "up.json"
        self._data_dir = data_dir
        self._lock_path = data_dir / "up.lock"
        self._lock_fd: int | None = None
        self.run = uuid.uuid4().hex

    @property
    def data_dir(self) -> Path:
        """Return the directory that it holds."""
        return self._data_dir

    def take(self) -> None:
        """Lock the directory. Raises StartError, naming the one that runs, where another `up` has it."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            running = read_state(self.path)
            raise StartError(
                f"Berth already runs on {self._data_dir} (pid {running.get('pid', '?')}, {running.get('url', '?')}). "
                "Stop it with Ctrl-C where it runs or with bin/berth down, or choose another --data-dir.",
                exit_code=_IN_USE,
            ) from None
        self._lock_fd = descriptor

    def marks(self) -> dict[str, str]:
        """Return the variables by which every process of this directory, and of this run, is found again."""
        return {DIR_MARK: str(self._data_dir), RUN_MARK: self.run}

    def end_left_overs(self) -> int:
        """End what a killed `up` left running; return how many processes that were. The lock must be held."""
        recorded = recorded_processes(read_state(self.path))
        victims = {*recorded, *with_environment(f"{DIR_MARK}={self._data_dir}")}
        living = [victim for victim in victims if identify(victim.pid) == victim]
        end_all(living, first=signal.SIGTERM, grace_s=_GRACE_S)
        return len(living)

    def write(self, state: dict[str, Any]) -> None:
        """Replace up.json in one step."""
        unfinished = self.path.with_name("up.json.new")
        unfinished.write_text(json.dumps({"run": self.run, **state}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.path)

    def release(self) -> None:
        """Forget the run: nothing of it is left."""
        self.path.unlink(missing_ok=True)
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def read_state(path: Path) -> dict[str, Any]:
    """Return what up.json says; empty where it is missing or torn."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def recorded_processes(state: dict[str, Any]) -> list[ProcessId]:
    """Return the children that a state names, unless it was written before the machine restarted."""
    if state.get("boot_id") != boot_id():
        return []
    return [
        ProcessId(child["pid"], child["start_ticks"])
        for child in state.get("children", {}).values()
        if child.get("pid") and child.get("start_ticks")
    ]
