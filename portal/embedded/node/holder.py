"""Speaks with the holder, the small process above all roles: JSON lines over a socket pair that is also its lifeline.

When this process ends, however it ends, the socket closes, the holder ends, and every role with it.
"""

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ANSWER_TIMEOUT_S = 20.0
_NAMESPACES = (
    "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc",
    "--propagation", "private", "--",
)  # fmt: skip


class HolderError(Exception):
    """The holder refused an order or is gone; the message says which and why."""


@dataclass(frozen=True)
class Exit:
    """The end of a role: its exit code, or the signal that ended it (0: none)."""

    name: str
    code: int
    signal: int

    def __str__(self) -> str:
        return f"signal {signal.Signals(self.signal).name}" if self.signal else f"exit code {self.code}"


class Holder:
    """A running holder. Not for several threads."""

    def __init__(self, binary: Path, *, isolated: bool, log_path: Path) -> None:
        """Start the holder, with `isolated` in network, mount and PID namespaces of its own (needs root).

        Raises HolderError when it does not answer; what it said is in the log.
        """
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._buffer = b""
        self._exits: list[Exit] = []
        self._ids = itertools.count(1)
        self._log_path = log_path
        prefix = _NAMESPACES if isolated else ()
        with theirs, log_path.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal must reach only us, who then stop things in order.
            self._process = subprocess.Popen(
                [*prefix, str(binary), "node", "--fd", "0"],
                stdin=theirs.fileno(), stdout=log, stderr=log, start_new_session=True, env=_clean_environment(),
            )  # fmt: skip
        self._ask("status")
        self.pid = self._only_child() if isolated else self._process.pid
        """The holder's process id, as this process sees it."""

    def start_role(self, name: str, *, argv: Sequence[str], env: Mapping[str, str], log_path: Path) -> int:
        """Start a role and return its process id inside the holder's namespace. Raises HolderError."""
        variables = [f"{key}={value}" for key, value in env.items()]
        answer = self._ask("start", name=name, argv=list(argv), env=variables, log=str(log_path))
        return int(answer["pid"])

    def signal_role(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a role. Raises HolderError when it is not running."""
        self._ask("signal", name=name, signal=int(number))

    def exits(self, *, timeout_s: float) -> list[Exit]:
        """Return the roles that ended, waiting at most so long for the first. Raises HolderError without a holder."""
        if not self._exits and select.select([self._socket], [], [], timeout_s)[0]:
            self._receive()
        ended, self._exits = self._exits, []
        return ended

    def close(self) -> None:
        """End the holder and every role at once, and wait until they are gone."""
        self._socket.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        number = next(self._ids)
        try:
            self._socket.sendall(json.dumps({"id": number, "op": op, **fields}).encode() + b"\n")
        except OSError as exc:
            raise self._gone() from exc
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        while (remaining_s := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], remaining_s)[0]:
                break
            for answer in self._receive():
                if answer["id"] != number:
                    continue
                if error := answer.get("error"):
                    raise HolderError(error)
                return answer
        raise HolderError(f"the holder did not answer {op!r} within {_ANSWER_TIMEOUT_S:.0f} s; see {self._log_path}")

    def _receive(self) -> list[dict[str, Any]]:
        """Read what is there, keep the exits and return the answers."""
        try:
            received = self._socket.recv(65536)
        except ConnectionResetError:
            received = b""
        if not received:
            raise self._gone()
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        answers = []
        for line in lines:
            message = json.loads(line)
            if message.get("event") == "exit":
                self._exits.append(Exit(message["name"], message["code"], message.get("signal", 0)))
            else:
                answers.append(message)
        return answers

    def _gone(self) -> HolderError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        return HolderError(f"the process that holds the roles ended ({self._process.returncode}); see {self._log_path}")

    def _only_child(self) -> int:
        for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):  # noqa: PTH208
            if _status_field(pid, "PPid") == [self._process.pid]:
                return pid
        raise self._gone()


def host_pids(holder_pid: int) -> dict[int, int]:
    """Return, for each child of the holder, its process id inside → outside the holder's namespace."""
    found = {}
    for pid in (int(entry) for entry in os.listdir("/proc") if entry.isdigit()):  # noqa: PTH208
        if _status_field(pid, "PPid") == [holder_pid]:
            inside = _status_field(pid, "NSpid")
            found[inside[-1] if inside else pid] = pid
    return found


def _status_field(pid: int, name: str) -> list[int]:
    """Return the numbers of a line of /proc/PID/status; none when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    values = next((line.partition(":")[2] for line in lines if line.startswith(f"{name}:")), "")
    return [int(word) for word in values.split()]


def _clean_environment() -> dict[str, str]:
    """Leave behind what belongs to the portal: its secrets are none of the cluster's business."""
    return {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": "/root"}


SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
