"""One PostgreSQL and one Valkey for a whole test run: started before Django reads its settings, shared by all workers.

A DATABASE_URL or REDIS_URL that is already set is used as it is. Databases of the tests are pytest-django's affair.
"""

import atexit
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from portal.embedded.postgres import STOP_SIGNAL, Postgres
from portal.embedded.tether import tethered
from portal.embedded.valkey import Valkey

_PREFIX = "berth-test-"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 20.0


class Servers:
    """The servers of this run, in one short directory that goes away with them."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        # Held for as long as the run lives, so that a later run can tell left-over directories from used ones.
        self._lock = (self.directory / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._running: list[tuple[subprocess.Popen[bytes], signal.Signals]] = []

    def start_postgres(self) -> None:
        """Start PostgreSQL without durability and set DATABASE_URL."""
        server = Postgres(self.directory / "postgres", self.directory, durable=False)
        server.prepare()
        self._start("postgres", server.command(), server.is_ready, STOP_SIGNAL)
        os.environ["DATABASE_URL"] = server.url

    def start_valkey(self) -> None:
        """Start Valkey and set REDIS_URL."""
        server = Valkey(self.directory)
        self._start("valkey", server.command(), server.is_ready, signal.SIGTERM)
        os.environ["REDIS_URL"] = server.url

    def stop(self) -> None:
        """End the servers and remove what they left; safe to call twice."""
        while self._running:
            process, stop_signal = self._running.pop()
            process.send_signal(stop_signal)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._lock.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self, name: str, argv: list[str], is_ready: Callable[[], bool], stop_signal: signal.Signals) -> None:
        log_path = self.directory / f"{name}.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                tethered(argv, death_signal=stop_signal, leave_root=name == "postgres"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running.append((process, stop_signal))
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise pytest.UsageError(f"{name} for the tests does not start:\n{log_path.read_text()[-2000:]}")
            time.sleep(0.02)


def _remove_left_overs() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            with (directory / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue  # in use by another run, another user's, or being made right now


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start what is missing before pytest-django imports the settings; workers inherit the addresses."""
    wanted = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name)]
    options = early_config.known_args_namespace
    if wanted and not (options.help or options.version):
        _remove_left_overs()
        servers = Servers()
        atexit.register(servers.stop)
        if "DATABASE_URL" in wanted:
            servers.start_postgres()
        if "REDIS_URL" in wanted:
            servers.start_valkey()
    return (yield)
