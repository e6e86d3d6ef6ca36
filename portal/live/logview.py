"""One viewer of a log: first the store from its cursor on, then the live feed; exactly once, in order.

A hole, an outage or a full queue sends it back to the store, where it reads no faster than its socket takes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from django.db import Error

from portal.live.frames import Frame, Skip, encode_frame, encode_frames, skip_parcel
from portal.live.logfeed import LogFeed
from portal.live.outbox import Outbox, text_parcel
from portal.live.payloads import Line

PAGE_LINES = 1_000
MAX_LAG_LINES = 50_000
RESUME_LINES = 1_000
_CALM_BYTES = 64 * 1024
_STUCK_S = 30.0
_PAUSE_S = 1.0
_BEHIND_S = 0.05
_SEALED = text_parcel('{"type":"sealed"}')
logger = structlog.get_logger(__name__)

ReadAfter = Callable[[int, int], Awaitable[Sequence[Line]]]


class LogView:
    """A cursor between a feed and an outbox. `read_after(seq, limit)` reads the store."""

    def __init__(
        self, *, outbox: Outbox, read_after: ReadAfter, cursor: int, known_seq: int, on_stuck: Callable[[], None]
    ) -> None:
        self.cursor = cursor
        self._outbox = outbox
        self._read_after = read_after
        self._known_seq = known_seq  # the highest number that we heard of
        self._looked_seq = 0  # the highest number that the row had at the last look
        self._on_stuck = on_stuck
        self._feed: LogFeed | None = None
        self._task: asyncio.Task[None] | None = None
        self._ends_sealed = False
        self._told_sealed = False

    def start(self, feed: LogFeed) -> None:
        """Begin with the store."""
        self._feed = feed
        self._catch_up()

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # What the feed says.

    def on_item(self, item: Frame | Skip) -> None:
        """Send what is next, or read the store where the item does not follow the cursor."""
        self._known_seq = max(self._known_seq, item.last_seq)
        if self._is_catching_up or item.last_seq <= self.cursor:
            return
        if item.first_seq > self.cursor + 1 or not self._send(item):
            self._catch_up()

    def on_sealed(self) -> None:
        """Say so, after the last line."""
        self._ends_sealed = True
        self._catch_up()

    def on_doubt(self) -> None:
        """Ask the store."""
        self._catch_up()

    def on_facts(self, last_seq: int, *, sealed: bool) -> None:
        """Compare with what the row says: messages may be lost while the broker is away."""
        if self.cursor < self._looked_seq:
            self._catch_up()  # stored before the last look and still not here
        self._looked_seq = last_seq
        self._known_seq = max(self._known_seq, last_seq)
        if sealed and not self._ends_sealed:
            self.on_sealed()

    # Inside.

    @property
    def _is_catching_up(self) -> bool:
        return self._task is not None and not self._task.done()

    def _send(self, item: Frame | Skip) -> bool:
        if isinstance(item, Skip):
            parcel = skip_parcel(self.cursor + 1, item.last_seq)
        elif item.first_seq <= self.cursor:
            parcel = encode_frame([line for line in item.lines if line.seq > self.cursor]).parcel
        else:
            parcel = item.parcel
        if not self._outbox.offer(parcel):
            return False
        self.cursor = item.last_seq
        return True

    def _catch_up(self) -> None:
        if not self._is_catching_up:
            self._task = asyncio.create_task(self._read_store(), name="log-catch-up")

    async def _read_store(self) -> None:
        while await self._outbox.wait_below(_CALM_BYTES, stuck_s=_STUCK_S):
            self._skip_lag()
            try:
                lines = await self._read_after(self.cursor, PAGE_LINES)
            except Error as exc:
                logger.warning("log not read for a viewer", error=str(exc))
                await asyncio.sleep(_PAUSE_S)
                continue
            for frame in encode_frames(lines):
                if not self._send(frame):
                    break
            if lines:
                continue
            # No await between this look at the numbers and the return: the feed cannot slip in between.
            if self._feed is None or self._feed.last_seq <= self.cursor:
                self._finish()
                return
            await asyncio.sleep(_BEHIND_S)  # published but not to be read yet
        self._on_stuck()

    def _finish(self) -> None:
        if self._ends_sealed and not self._told_sealed:
            self._told_sealed = self._outbox.offer(_SEALED)

    def _skip_lag(self) -> None:
        newest = max(self._known_seq, self._feed.last_seq if self._feed else 0)
        if newest - self.cursor > MAX_LAG_LINES:
            self._send(Skip(self.cursor + 1, newest - RESUME_LINES))
