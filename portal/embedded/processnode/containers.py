"""Starts containers as processes, reads what they print, and holds them to their memory. Knows nothing of pods."""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from portal.embedded.kubelet.crilog import LineCutter, LogWriter
from portal.embedded.processnode.launch import Launch, isolated_order, make_mount_points, plain_order

_SANDBOX = Path(__file__).with_name("sandbox.py")
_READ_BYTES = 64 * 1024
_MEMORY_EVERY_S = 0.1
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class CannotStart(Exception):
    """The program of a container cannot be run; the message is what a runtime would say."""


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    exit_code: int
    out_of_memory: bool
    finished_at: datetime


class Container:
    """A running container: its process, its log. `on_end` is called once, from a thread of its own."""

    def __init__(
        self, process: subprocess.Popen[bytes], log: LogWriter, *, memory_bytes: int, on_end: Callable[[Ended], None]
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.log = log
        self.memory_bytes = memory_bytes
        self.out_of_memory = False
        self._process = process
        self._on_end = on_end
        threading.Thread(target=self._follow, name=f"container-{process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """Return the process id of the process beside the container's first."""
        return self._process.pid

    def terminate(self) -> None:
        """Ask the program to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End every process of the container."""
        self._signal(signal.SIGUSR1)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def _follow(self) -> None:
        streams = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        pump(self.log, {name: stream for name, stream in streams.items() if stream})
        code = self._process.wait()
        self.log.close()
        self._on_end(Ended(code if code >= 0 else 128 - code, self.out_of_memory, datetime.now(UTC)))


class Runner:
    """Starts containers. `isolated` says whether they get a file system and process ids of their own."""

    def __init__(self, *, isolated: bool) -> None:
        self.isolated = isolated
        # A child dies with the thread that started it, so one thread that never ends starts them all.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._memory = MemoryWatch()

    def start(
        self, launch: Launch, *, directory: Path, log: LogWriter, memory_bytes: int, on_end: Callable[[Ended], None]
    ) -> Container:
        """Start a container, whose scratch files go to `directory`. Raises CannotStart, OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "root").mkdir(exist_ok=True)
        if self.isolated:
            make_mount_points(launch)
        order = isolated_order(launch, scratch=directory / "root") if self.isolated else plain_order(launch)
        process, problem = self._starter.submit(_spawn, order, directory / "order.json").result()
        if problem:
            process.communicate()
            raise CannotStart(problem)
        container = Container(process, log, memory_bytes=memory_bytes, on_end=on_end)
        self._memory.add(container)
        return container


def _spawn(order: dict[str, object], order_file: Path) -> tuple[subprocess.Popen[bytes], str]:
    order_file.unlink(missing_ok=True)
    order_file.touch(mode=0o600)
    order_file.write_text(json.dumps(order))
    said, report = os.pipe()
    with os.fdopen(said) as answer:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SANDBOX), str(os.getpid()), str(order_file), str(report)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                pass_fds=(report,), start_new_session=True, cwd="/", env={"LANG": "C.UTF-8"},
            )  # fmt: skip
        finally:
            os.close(report)
        line = answer.readline()
    return process, str(json.loads(line)["error"]) if line else ""


def pump(log: LogWriter, streams: dict[str, IO[bytes]]) -> None:
    """Write what comes on pipes to a log until all are closed."""
    with selectors.DefaultSelector() as selector:
        for name, stream in streams.items():
            selector.register(stream, selectors.EVENT_READ, (name, LineCutter()))
        while selector.get_map():
            for key, _ in selector.select():
                name, cutter = key.data
                chunk = os.read(key.fd, _READ_BYTES)
                pieces = cutter.feed(chunk) if chunk else cutter.flush()
                if pieces:
                    log.write(name, pieces)
                if not chunk:
                    selector.unregister(key.fileobj)
                    streams[name].close()


class MemoryWatch:
    """Ends containers that hold more memory than they may, which it looks at ten times a second."""

    def __init__(self) -> None:
        self._containers: list[Container] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="memory", daemon=True).start()

    def add(self, container: Container) -> None:
        """Watch a container until it ends."""
        with self._lock:
            self._containers.append(container)

    def _run(self) -> None:
        while True:
            time.sleep(_MEMORY_EVERY_S)
            with self._lock:
                self._containers = [each for each in self._containers if not each.log.closed]
                watched = [each for each in self._containers if each.memory_bytes and not each.out_of_memory]
            for container in watched:
                if memory_of(container.pid) > container.memory_bytes:
                    container.out_of_memory = True
                    container.kill()


def memory_of(beside_pid: int) -> int:
    """Return the resident bytes of every process below one, itself not counted; pages that are shared count twice."""
    total, found = 0, descendants(beside_pid)
    for pid in found:
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    return total


def descendants(pid: int) -> list[int]:
    """Return the processes below one."""
    found: list[int] = []
    pending = [pid]
    while pending:
        current = pending.pop()
        try:
            tasks = list(Path(f"/proc/{current}/task").iterdir())
            children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
        except OSError:
            continue
        found += children
        pending += children
    return found
