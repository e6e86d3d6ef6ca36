"""One supervised child: its process, its log, its streak of failures. Decides nothing about other children."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from portal.embedded.backoff import Backoff
from portal.embedded.children import AtOnce, ChildSpec, OnExit, OnLine, OnProbe, Restart, State
from portal.embedded.logfile import LogFile
from portal.embedded.processes import ProcessId, identify, signal_group
from portal.embedded.tether import tethered


class Child:
    """What the supervisor knows of one child."""

    def __init__(self, spec: ChildSpec, *, log_path: Path, backoff: Backoff) -> None:
        self.spec = spec
        self.log = LogFile(log_path)
        self.state = State.WAITING
        self.result = ""
        self.was_ready = False
        self.failures = 0
        self.restarts = 0
        self.retry_at = 0.0
        self.exit_code: int | None = None
        self.identity: ProcessId | None = None
        self._backoff = backoff
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Return the pid of the running process, which also leads its process group."""
        return self._process.pid if self._process else None

    @property
    def is_running(self) -> bool:
        """Say whether there is a process."""
        return self._process is not None

    def start(self, argv: list[str], base_env: Mapping[str, str]) -> None:
        """Start the process in a group of its own. Must be called by the main thread: its death is the child's."""
        spec = self.spec
        descriptor = self.log.open()
        try:
            self._process = subprocess.Popen(
                tethered(argv, death_signal=spec.death_signal, niceness=spec.niceness, leave_root=spec.leave_root),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd="/",
                env={**base_env, **spec.env},
                pass_fds=spec.pass_fds,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self.restarts += self._started_at > 0
        self._started_at = time.monotonic()
        self._kill_at = None
        self.identity = identify(self._process.pid)
        self.state = State.STARTING

    def check_ready(self) -> list[str]:
        """Move from starting to ready if it is; return the lines it printed since the last look."""
        lines = self.log.new_lines()
        if self.state is State.STARTING and self._is_ready(lines):
            self.become_ready()
        return lines

    def become_ready(self) -> None:
        """Note that others may build on it."""
        self.state = State.READY
        self.was_ready = True

    def has_ended(self) -> bool:
        """Say whether the process has ended, without forgetting it: until `bury` its pid is not used again."""
        if self._process is None:
            return False
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return ended is not None

    def bury(self) -> None:
        """Kill what is left of its group, collect the exit code, and say how it goes on."""
        if self._process is None:
            return
        signal_group(self._process.pid, signal.SIGKILL)
        self.exit_code = self._process.wait()
        self._process = None
        self.identity = None
        if self.exit_code == 0 and self.spec.restart is not Restart.ALWAYS:
            self._finish()
            return
        self.failures = self._backoff.failures_after(self.failures, uptime_s=time.monotonic() - self._started_at)
        self.retry_at = time.monotonic() + self.next_delay_s
        self.state = State.RETRYING

    @property
    def next_delay_s(self) -> float:
        """Return how long it waits after its last end."""
        return self._backoff.delay_s(self.failures)

    def ask_to_stop(self) -> None:
        """Send the stop signal, once; its time to die then runs."""
        if self._process is not None and self._kill_at is None:
            if self.spec.stop_whole_group:
                signal_group(self._process.pid, self.spec.stop_signal)
            else:
                os.kill(self._process.pid, self.spec.stop_signal)
            # A stopped process (SIGSTOP) takes no other signal before it goes on.
            signal_group(self._process.pid, signal.SIGCONT)
            self._kill_at = time.monotonic() + self.spec.grace_s

    def kill_if_late(self, *, now: float) -> None:
        """Kill the group when its grace is over."""
        if self._process is not None and self._kill_at is not None and now >= self._kill_at:
            signal_group(self._process.pid, signal.SIGKILL)

    def stopped(self) -> None:
        """Collect an asked-for end."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)
            self.exit_code = self._process.wait()
            self._process = None
            self.identity = None
        self.state = State.DONE if self.state is State.DONE else State.STOPPED

    def _finish(self) -> None:
        self.failures = 0
        if isinstance(self.spec.ready, OnExit):
            self.result = next(iter(self.log.last_lines(1)), "")
        self.was_ready = True
        self.state = State.DONE

    def _is_ready(self, lines: list[str]) -> bool:
        ready = self.spec.ready
        if isinstance(ready, AtOnce):
            return True
        if isinstance(ready, OnProbe):
            return ready.probe()
        if isinstance(ready, OnLine):
            for line in lines:
                if line.startswith(ready.prefix):
                    self.result = line.removeprefix(ready.prefix).strip()
                    return True
        return False
