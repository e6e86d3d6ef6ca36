"""Outlives a killed `up` by a moment, to end what it had started. Standard library only.

Use: python -m portal.embedded.janitor DATA_DIR RUN, with a pipe from the supervisor as its standard input: a byte says
that the supervisor has cleaned up itself, an end of file without one that it was killed.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from portal.embedded.processes import end_all, with_environment
from portal.embedded.statefile import RUN_MARK, read_state, recorded_processes

_GRACE_S = 8.0
_DISMISS_TIMEOUT_S = 5.0
_ROOT = Path(__file__).parents[2]


class Janitor:
    """The supervisor's side."""

    def __init__(self, *, data_dir: Path, run: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-m", "portal.embedded.janitor", str(data_dir), run],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=_ROOT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Return its process."""
        return self._process.pid

    def dismiss(self) -> None:
        """Tell it that there is nothing left to do, and wait for its end."""
        try:
            self._process.communicate(b".", timeout=_DISMISS_TIMEOUT_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def clean_up(data_dir: Path, run: str) -> None:
    """End every process of one run, those that up.json names and those that carry its mark; remove its sockets."""
    state = read_state(data_dir / "up.json")
    recorded = recorded_processes(state) if state.get("run") == run else []
    # Twice: the first victims may have been starting others.
    for _ in range(2):
        end_all({*recorded, *with_environment(f"{RUN_MARK}={run}")}, first=signal.SIGTERM, grace_s=_GRACE_S)
    if state.get("run") == run and (socket_dir := state.get("socket_dir")):
        shutil.rmtree(socket_dir, ignore_errors=True)


def main() -> None:
    """Wait for the supervisor's end, and clean up if it was not clean."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if not os.read(0, 1):
        clean_up(Path(sys.argv[1]), sys.argv[2])


if __name__ == "__main__":
    main()
