"""One feed a watched workload: batches become shared frames, at most ten a second and 256 KiB/s of them.

What is over that is skipped in the live view, with a marker; the store stays complete.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec
import structlog

from portal.live.frames import FRAME_BYTES, Frame, Skip, encode_frames, line_bytes
from portal.live.hub import Hub
from portal.live.payloads import Line, decode_batch, log_topic

FLUSH_S = 0.1
LIVE_BYTES_PER_S = 256 * 1024
logger = structlog.get_logger(__name__)


class Watcher(Protocol):
    """A viewer of a feed. Must neither raise nor wait."""

    def on_item(self, item: Frame | Skip) -> None:
        """Take the next lines, or the word that some are skipped."""

    def on_sealed(self) -> None:
        """No more lines come."""

    def on_doubt(self) -> None:
        """Something may have been missed: the store knows."""


class Allowance:
    """A bucket of bytes that refills; it may go into debt by one frame."""

    def __init__(self, bytes_per_s: float, now_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._left = bytes_per_s
        self._at_s = now_s

    def refill(self, now_s: float) -> bool:
        """Account for the time that went by; returns whether anything may be spent."""
        self._left = min(self._bytes_per_s, self._left + (now_s - self._at_s) * self._bytes_per_s)
        self._at_s = now_s
        return self._left > 0

    def spend(self, spent_bytes: int) -> None:
        """Take bytes out."""
        self._left -= spent_bytes


class LogFeed:
    """Turns a topic's batches into frames for all its watchers."""

    def __init__(self, *, live_bytes_per_s: float = LIVE_BYTES_PER_S) -> None:
        self.watchers: set[Watcher] = set()
        self.last_seq = 0
        self._loop = asyncio.get_running_loop()
        self._pending: deque[Line] = deque()
        self._pending_bytes = 0
        self._skip_from = 0
        self._allowance = Allowance(live_bytes_per_s, self._loop.time())
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def on_message(self, payload: bytes) -> None:
        """Take a batch of the topic."""
        try:
            batch = decode_batch(payload)
        except msgspec.DecodeError as exc:
            logger.warning("log batch not understood", error=str(exc))
            return
        self._add(batch.lines)
        if batch.sealed:
            self.flush()
            for watcher in tuple(self.watchers):
                watcher.on_sealed()

    def on_outage(self) -> None:
        """Let the watchers ask the store."""
        for watcher in tuple(self.watchers):
            watcher.on_doubt()

    def stop(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
        self._pending.clear()

    def flush(self) -> None:
        """Hand what waits to the watchers, as far as the allowance goes."""
        self._timer = None
        now_s = self._flushed_at = self._loop.time()
        if not self._pending:
            return
        if not self._allowance.refill(now_s):
            self._drop_old()
            self._schedule()
            return
        lines = list(self._pending)
        self._allowance.spend(self._pending_bytes)
        self._pending.clear()
        self._pending_bytes = 0
        self._emit(lines)

    def _add(self, lines: Sequence[Line]) -> None:
        newest = self._pending[-1].seq if self._pending else self.last_seq
        fresh = [line for line in lines if line.seq > newest]
        if not fresh:
            return
        if self._pending and fresh[0].seq != newest + 1:
            self.flush()  # a hole: watchers see it from the numbers and ask the store
        self._pending.extend(fresh)
        self._pending_bytes += sum(line_bytes(line) for line in fresh)
        if self._timer is None:
            self._schedule()

    def _schedule(self) -> None:
        wait_s = max(0.0, self._flushed_at + FLUSH_S - self._loop.time())
        self._timer = self._loop.call_later(wait_s, self.flush)

    def _drop_old(self) -> None:
        while self._pending_bytes > FRAME_BYTES and len(self._pending) > 1:
            dropped = self._pending.popleft()
            self._pending_bytes -= line_bytes(dropped)
            self._skip_from = self._skip_from or dropped.seq

    def _emit(self, lines: list[Line]) -> None:
        items: list[Frame | Skip] = list(encode_frames(lines))
        if self._skip_from:
            items.insert(0, Skip(self._skip_from, lines[0].seq - 1))
            self._skip_from = 0
        self.last_seq = lines[-1].seq
        for item in items:
            for watcher in tuple(self.watchers):
                watcher.on_item(item)


class LogFeeds:
    """The feeds of this process: one a watched workload, gone with its last watcher."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._feeds: dict[UUID, LogFeed] = {}

    async def join(self, workload_id: UUID, watcher: Watcher) -> LogFeed:
        """Watch a workload; returns once Redis confirmed it, or a second later."""
        feed = self._feeds.setdefault(workload_id, LogFeed())
        feed.watchers.add(watcher)
        await self._hub.join(log_topic(workload_id), feed)
        return feed

    async def leave(self, workload_id: UUID, watcher: Watcher) -> None:
        """Watch no more."""
        feed = self._feeds.get(workload_id)
        if feed is None:
            return
        feed.watchers.discard(watcher)
        if not feed.watchers:
            del self._feeds[workload_id]
            feed.stop()
            await self._hub.leave(log_topic(workload_id), feed)
