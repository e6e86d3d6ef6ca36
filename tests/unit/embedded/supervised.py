"""Runs real small children under a real supervisor, in a process of its own that a test can kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from portal.embedded.processes import identify
from tests.plugins.polling import until

_ROOT = Path(__file__).parents[3]
TIMEOUT_S = 20.0

_DRIVER = """
import os, sys
from pathlib import Path
from portal.embedded.backoff import Backoff
from portal.embedded.children import *
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.statefile import StateFile
from portal.embedded import supervisor as module
from portal.embedded.supervisor import Supervisor
directory = Path(sys.argv[1])
state = StateFile(directory)
try:
    state.take()
    print("left over:", state.end_left_overs(), flush=True)
    specs = eval(sys.argv[2])
    env = dict(os.environ) | state.marks()
    code = Supervisor(specs, log_dir=directory, env=env, console=Console(), state=state).run()
    state.release()
    sys.exit(code)
except StartError as exc:
    print("error:", exc, flush=True)
    sys.exit(exc.exit_code)
"""


class Supervised:
    """A supervisor running in a subprocess over a plan given as Python source."""

    def __init__(self, directory: Path, plan: str) -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(directory), plan],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def state(self) -> dict[str, Any]:
        """Return up.json as it is now."""
        try:
            state: dict[str, Any] = json.loads((self.directory / "up.json").read_text())
        except FileNotFoundError:
            return {"children": {}}
        return state

    def child(self, name: str) -> dict[str, Any]:
        """Return what up.json says of a child."""
        found: dict[str, Any] = self.state()["children"].get(name, {})
        return found

    def wait_for(self, name: str, state: str) -> dict[str, Any]:
        """Wait until a child is in a state."""
        until(f"{name} is {state}", lambda: self.child(name).get("state") == state, timeout_s=TIMEOUT_S)
        return self.child(name)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> str:
        """Signal the supervisor, wait for its end and return all that it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=TIMEOUT_S)
        return said

    def finish(self) -> str:
        """Wait for the supervisor to end by itself and return all that it said."""
        said, _ = self.process.communicate(timeout=TIMEOUT_S)
        return said

    def close(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process.poll() is None:
            self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()


def is_alive(pid: int) -> bool:
    """Say whether a process lives; a zombie does not."""
    return identify(pid) is not None


def read_pid(path: Path) -> int:
    """Wait for a child to write a pid and return it."""
    until(f"{path.name} is written", lambda: path.exists() and path.read_text().strip(), timeout_s=TIMEOUT_S)
    return int(path.read_text())


def shell(script: str) -> str:
    """Return the source of an argv that runs a shell script."""
    return f"('/bin/sh', '-c', {script!r})"


def free_of(pids: list[int]) -> bool:
    """Say whether none of the processes lives."""
    return not any(is_alive(pid) for pid in pids)


def kill(pid: int) -> None:
    """End a process the hard way."""
    os.kill(pid, signal.SIGKILL)
