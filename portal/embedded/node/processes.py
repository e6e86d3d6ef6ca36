"""Tells one process from a later one with the same id."""

import json
import os
import signal
import time
from pathlib import Path

_STAT_START_TIME = 19  # field 22 of /proc/PID/stat, counted after the command's closing bracket


def start_ticks(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when there is none or it only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[_STAT_START_TIME])


def end_previous(roles_file: Path, *, timeout_s: float = 15.0) -> None:
    """Wait until the processes of an earlier run are gone, killing what a moment's patience does not end.

    Raises TimeoutError when they stay.
    """
    try:
        known = {int(pid): ticks for pid, ticks in json.loads(roles_file.read_text())["start_ticks"].items()}
    except (OSError, ValueError, KeyError):
        return
    deadline, patience_ends = time.monotonic() + timeout_s, time.monotonic() + 1.0
    while alive := [pid for pid, ticks in known.items() if start_ticks(pid) == ticks]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes of an earlier run do not end: {alive}")
        if time.monotonic() > patience_ends:
            for pid in alive:
                _kill(pid)
        time.sleep(0.05)
    roles_file.unlink(missing_ok=True)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
