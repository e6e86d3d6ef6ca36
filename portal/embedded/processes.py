"""Reads /proc and ends processes: who is who by start time, so that a reused pid is never hit."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number, until the machine restarts."""

    pid: int
    start_ticks: int


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a living process; None for none and for a zombie."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in {"Z", "X"}:
        return None
    return ProcessId(pid, int(fields[19]))


def boot_id() -> str:
    """Return what tells this run of the machine from others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent died."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(parent_pid: int) -> list[int]:
    """Return the living direct children of a process."""
    found = []
    for pid in _all_pids():
        fields = _stat_fields(pid)
        if fields is not None and int(fields[1]) == parent_pid and fields[0] not in {"Z", "X"}:
            found.append(pid)
    return found


def with_environment(entry: str) -> list[ProcessId]:
    """Return the living processes that were started with `NAME=value` in their environment, but not this one."""
    wanted = entry.encode()
    found = []
    for pid in _all_pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile, or another user's
        identity = identify(pid) if wanted in environment and pid != os.getpid() else None
        if identity is not None:
            found.append(identity)
    return found


def end_all(victims: Iterable[ProcessId], *, first: signal.Signals, grace_s: float) -> None:
    """Ask processes to end, wait, then kill those that are left; returns when none lives."""
    living = [victim for victim in victims if is_same(victim)]
    _signal_each(living, first)
    deadline = time.monotonic() + grace_s
    while living and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        living = [victim for victim in living if is_same(victim)]
    while living:
        _signal_each(living, signal.SIGKILL)
        time.sleep(_POLL_S)
        living = [victim for victim in living if is_same(victim)]


def is_same(process: ProcessId) -> bool:
    """Say whether exactly this process still lives."""
    return identify(process.pid) == process


def signal_group(leader_pid: int, number: signal.Signals) -> None:
    """Signal a whole process group; one that is already empty is fine."""
    try:
        os.killpg(leader_pid, number)
    except (ProcessLookupError, PermissionError):
        return  # empty, or only zombies: nothing left to signal


def _signal_each(victims: Iterable[ProcessId], number: signal.Signals) -> None:
    for victim in victims:
        if is_same(victim):
            try:
                os.kill(victim.pid, number)
            except ProcessLookupError:
                continue


def _all_pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _stat_fields(pid: int) -> list[str] | None:
    # Fields from the third (state) on: the second, the name, may hold spaces and parentheses.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
