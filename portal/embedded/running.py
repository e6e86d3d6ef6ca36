"""Which `up` runs on a data directory, told by its lock and up.json; for the commands that ask or stop it."""

import fcntl
import os
import shlex
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portal.embedded.layout import Layout
from portal.embedded.processes import ProcessId, boot_id, is_same
from portal.embedded.statefile import read_state


@dataclass(frozen=True)
class Running:
    """A running `up`: who it is and what up.json says of it."""

    process: ProcessId
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def since(self) -> datetime:
        """Return when it was started."""
        return started_at(self.process)


def running_on(layout: Layout) -> Running | None:
    """Return the `up` of a data directory, None where none runs."""
    state = read_state(layout.data_dir / "up.json")
    if not is_locked(layout.data_dir / "up.lock") or state.get("boot_id") != boot_id():
        return None
    process = ProcessId(int(state.get("pid") or 0), int(state.get("start_ticks") or 0))
    return Running(process, state) if is_same(process) else None


def is_locked(path: Path) -> bool:
    """Tell whether another process holds a lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def started_at(process: ProcessId) -> datetime:
    """Return when a process was started, from the kernel's ticks since boot."""
    alive_s = time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(time.time() - alive_s, UTC)


def saved_settings(layout: Layout) -> dict[str, str]:
    """Return what `up` wrote for `bin/berth`: the environment of the installation; empty where there is none."""
    try:
        words = shlex.split(layout.env_file.read_text(encoding="utf-8"))
    except OSError:
        return {}
    return dict(word.split("=", 1) for word in words if "=" in word)
