"""The log of a scripted run: computed line by line from its start and its rate, and kept nowhere."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from portal.embedded.kubelet.crilog import LogQuery, nano_stamp
from portal.embedded.scriptednode.play import Run
from portal.embedded.scriptednode.script import Script

_BATCH = 500
_SHORTEST_WAIT_S = 0.05
_LONGEST_WAIT_S = 10.0
_NANO = 1_000_000_000


@dataclass(frozen=True)
class Log:
    """The log of one run of one pod's containers."""

    script: Script
    run: Run
    pod: str

    def count(self, now: float) -> int:
        """Return how many lines there are at a moment."""
        until = now if self.run.ended is None else min(now, self.run.ended)
        if until < self.run.started:
            return 0
        return self.script.lines_at_start + math.floor((until - self.run.started) * self.script.lines_per_s)

    def time_ns(self, n: int) -> int:
        """Return when line n (from 0) is written, in nanoseconds since 1970; no two lines have one time."""
        begun_ns = round(self.run.started * _NANO)
        late = n - self.script.lines_at_start + 1
        if late <= 0:
            return begun_ns + n
        return begun_ns + n + round(late / self.script.lines_per_s * _NANO)

    def raw(self, n: int, *, timestamps: bool) -> bytes:
        """Return line n as the kubelet serves it."""
        text = self.script.line.replace("{n}", str(n + 1)).replace("{pod}", self.pod).encode()
        return b"%s %s\n" % (nano_stamp(self.time_ns(n)), text) if timestamps else text + b"\n"

    def next_at(self, n: int) -> float:
        """Return when line n is due, in seconds since 1970; infinity where no such line comes."""
        if n >= self.script.lines_at_start and not self.script.lines_per_s:
            return math.inf
        return self.time_ns(n) / _NANO


def read(log: Log, query: LogQuery, *, look: Callable[[], Run], wait: Callable[[float], object]) -> Iterator[bytes]:
    """Yield a log in chunks as the kubelet serves it; with `follow` until the run that `look` returns has ended.

    `wait` sleeps at most so many seconds; either may raise OSError, which cuts the stream as a dead node does.
    """
    return _limited(_lines(log, query, look=look, wait=wait), query.limit_bytes)


def _lines(log: Log, query: LogQuery, *, look: Callable[[], Run], wait: Callable[[float], object]) -> Iterator[bytes]:
    there = log.count(time.time())
    at = 0 if query.tail_lines is None else max(0, there - query.tail_lines)
    if query.since is not None:
        at = max(at, _first_since(log, round(query.since.timestamp() * 1_000_000) * 1000, there))
    while True:
        log = Log(log.script, look(), log.pod)  # asked before the time: what came until the end is told below
        now = time.time()
        there = log.count(now)
        while at < there:
            until = min(there, at + _BATCH)
            yield b"".join(log.raw(n, timestamps=query.timestamps) for n in range(at, until))
            at = until
        if not query.follow or (log.run.ended is not None and now >= log.run.ended):
            return
        wait(min(max(log.next_at(at) - now, _SHORTEST_WAIT_S), _LONGEST_WAIT_S))


def _first_since(log: Log, since_ns: int, count: int) -> int:
    """Return the first of `count` lines that is not older; lines stand in order of time."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if log.time_ns(middle) < since_ns:
            low = middle + 1
        else:
            high = middle
    return low


def _limited(chunks: Iterator[bytes], limit_bytes: int | None) -> Iterator[bytes]:
    left = limit_bytes
    for chunk in chunks:
        if left is None:
            yield chunk
            continue
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return
