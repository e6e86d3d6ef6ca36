"""Runs children: in order, with readiness, restarts, a clean stop, and nothing left when it dies itself.

One thread, one loop. Knows nothing of Berth: plans say what runs, `StateFile` where it is written down.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from portal.embedded.backoff import Backoff
from portal.embedded.child import Child
from portal.embedded.children import ChildSpec, OnExit, Restart, ResultOf, State
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.janitor import Janitor
from portal.embedded.processes import adopt_orphans, boot_id, children_of, end_all, identify
from portal.embedded.statefile import StateFile

_BUSY_TICK_S = 0.05
_IDLE_TICK_S = 0.5
_ROTATE_EVERY_S = 10.0
_TALK_AT_FAILURES = (3, 10)
_LAST_WORDS = 12
_ORPHAN_GRACE_S = 3.0

LineListener = Callable[[str, str], None]  # child name, line
StateListener = Callable[[Child], None]


class Supervisor:
    """Supervises a fixed set of children until a signal or a failed step."""

    def __init__(
        self, specs: Sequence[ChildSpec], *, log_dir: Path, env: Mapping[str, str], console: Console, state: StateFile
    ) -> None:
        backoff = Backoff()
        self.children = {
            spec.name: Child(spec, log_path=log_dir / f"{spec.name}.log", backoff=backoff) for spec in specs
        }
        _check_dependencies(specs)
        self.facts: dict[str, Any] = {}
        self.on_line: LineListener = lambda _name, _line: None
        self.on_state: StateListener = lambda _child: None
        self._env = dict(env)
        self._console = console
        self._state = state
        self._signals_seen = 0
        self._rotate_at = 0.0
        self._janitor_pid: int | None = None
        self._waker, self._wakened = socket.socketpair()

    def run(self) -> int:
        """Supervise until told to stop; return the exit code. Raises StartError when a needed step fails.

        Whatever the way out, no child is left running.
        """
        adopt_orphans()
        self._listen_to_signals()
        self._save()
        janitor = Janitor(data_dir=self._state.data_dir, run=self._state.run)
        self._janitor_pid = janitor.pid
        try:
            while not self._signals_seen:
                self._step()
                self._wait()
            self._console.say("Stopping")
        finally:
            self._stop_all()
            janitor.dismiss()
        return 0

    def _step(self) -> None:
        self._reap_strangers()
        before = self._summary()
        for child in self.children.values():
            self._advance(child)
        if self._summary() != before:
            self._save()
        if time.monotonic() >= self._rotate_at:
            self._rotate_at = time.monotonic() + _ROTATE_EVERY_S
            for child in self.children.values():
                child.log.rotate()

    def _advance(self, child: Child) -> None:
        earlier = child.state
        if self._is_due(child):
            self._start(child)
        if child.is_running:
            self._listen(child)
            if child.has_ended():
                self._bury(child)
        if child.state is not earlier:
            self.on_state(child)

    def _is_due(self, child: Child) -> bool:
        if child.state is State.RETRYING:
            return time.monotonic() >= child.retry_at
        return child.state is State.WAITING and all(self.children[name].was_ready for name in child.spec.after)

    def _start(self, child: Child) -> None:
        argv = [self.children[part.child].result if isinstance(part, ResultOf) else part for part in child.spec.argv]
        child.start(argv, self._env)

    def _listen(self, child: Child) -> None:
        was_ready = child.was_ready
        for line in child.check_ready():
            self.on_line(child.spec.name, line)
        if child.was_ready and not was_ready:
            self._announce(child)

    def _bury(self, child: Child) -> None:
        for line in child.log.new_lines():
            self.on_line(child.spec.name, line)
        child.bury()
        if child.state is State.DONE:
            self._announce(child)
            return
        if child.spec.restart is Restart.NEVER:
            words = "\n".join(f"  | {line}" for line in child.log.last_words(_LAST_WORDS))
            raise StartError(f"{child.spec.title} failed ({_ending(child)}):\n{words}\nWhole log: {child.log.path}")
        self._complain(child)

    def _announce(self, child: Child) -> None:
        if child.spec.announced:
            self._console.say(f"{child.spec.title}: {'done' if child.state is State.DONE else 'ready'}")

    def _complain(self, child: Child) -> None:
        is_first_of_a_step = child.failures == 1 and child.spec.restart is Restart.UNTIL_SUCCESS
        if child.failures in _TALK_AT_FAILURES or is_first_of_a_step:
            how = "failed" if is_first_of_a_step else f"keeps ending (time {child.failures})"
            self._console.say(f"{child.spec.title} {how}: {_ending(child)}. It said:")
            self._console.quote(child.log.last_words(_LAST_WORDS))
            self._console.say(f"It will be tried again and again; whole log: {child.log.path}")
        elif child.failures < _TALK_AT_FAILURES[0]:
            self._console.say(f"{child.spec.title} ended ({_ending(child)}); starting it again")

    def _stop_all(self) -> None:
        """Stop children after those that need them, then whatever they left behind."""
        first_signals = self._signals_seen
        while any(child.is_running for child in self.children.values()):
            now = time.monotonic()
            for child in self.children.values():
                self._stop_step(child, now=now, hurry=self._signals_seen > first_signals)
            self._wait(busy=True)
        for child in self.children.values():
            child.stopped()
        self._end_orphans()

    def _end_orphans(self) -> None:
        """End what daemonized itself away from a child, generation by generation."""
        while pids := [pid for pid in children_of(os.getpid()) if pid != self._janitor_pid]:
            orphans = [identity for pid in pids if (identity := identify(pid)) is not None]
            end_all(orphans, first=signal.SIGTERM, grace_s=_ORPHAN_GRACE_S)
            self._reap_strangers()

    def _stop_step(self, child: Child, *, now: float, hurry: bool) -> None:
        if not child.is_running:
            return
        if hurry or not any(other.is_running and child.spec.name in other.spec.after for other in self._others(child)):
            child.ask_to_stop()
        child.kill_if_late(now=now + (child.spec.grace_s if hurry else 0))
        if child.has_ended():
            child.stopped()
            self._save()

    def _others(self, child: Child) -> list[Child]:
        return [other for other in self.children.values() if other is not child]

    def _reap_strangers(self) -> None:
        """Collect adopted orphans that ended; known children are left to `bury`."""
        known = {child.pid for child in self.children.values()} | {self._janitor_pid}
        while (ended := _next_zombie()) is not None and ended not in known:
            os.waitpid(ended, os.WNOHANG)

    def _wait(self, *, busy: bool = False) -> None:
        unsettled = busy or any(child.state in {State.WAITING, State.STARTING} for child in self.children.values())
        retry_ats = [child.retry_at for child in self.children.values() if child.state is State.RETRYING]
        tick_s = _BUSY_TICK_S if unsettled else _IDLE_TICK_S
        if retry_ats:
            tick_s = min(tick_s, max(0.0, min(retry_ats) - time.monotonic()))
        if select.select([self._wakened], [], [], tick_s)[0]:
            self._wakened.recv(4096)

    def _listen_to_signals(self) -> None:
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                signal.signal(number, self._note_signal)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)

    def _note_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals_seen += 1

    def _summary(self) -> dict[str, Any]:
        return {name: _child_summary(child) for name, child in self.children.items()}

    def _save(self) -> None:
        own = identify(os.getpid())
        self._state.write({
            "pid": os.getpid(),
            "start_ticks": own.start_ticks if own else None,
            "boot_id": boot_id(),
            **self.facts,
            "children": self._summary(),
        })  # fmt: skip


def _child_summary(child: Child) -> dict[str, Any]:
    return {
        "pid": child.pid,
        "start_ticks": child.identity.start_ticks if child.identity else None,
        "state": child.state.value,
        "restarts": child.restarts,
        "exit_code": child.exit_code,
        "log": str(child.log.path),
    }


def _ending(child: Child) -> str:
    code = child.exit_code or 0
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _check_dependencies(specs: Sequence[ChildSpec]) -> None:
    earlier: set[str] = set()
    for spec in specs:
        results = {part.child for part in spec.argv if isinstance(part, ResultOf)}
        unknown = (set(spec.after) | results) - earlier
        if unknown:
            raise ValueError(f"{spec.name} needs {sorted(unknown)}, which do not come before it")
        if isinstance(spec.ready, OnExit) and spec.restart is Restart.ALWAYS:
            raise ValueError(f"{spec.name} is ready when it ends, and so cannot be restarted for ever")
        earlier.add(spec.name)


def _next_zombie() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended is not None else None
