"""Gathers lines of all followed containers and writes them in common transactions, then has them published.

Memory is bounded: a full buffer makes its readers wait, so that an absent database or a flood ends as back-pressure on
the kubelet. Only LeaseLost comes out of `run`.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from django.db import Error

from portal.core.leases import Held
from portal.live.payloads import Line, LogBatch
from workloads.logs import store
from workloads.logs.ownership import Owned
from workloads.logs.publisher import Publisher
from workloads.logs.sequencer import Draft, Mark, Pending

MAX_BATCHES = 64
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
logger = structlog.get_logger(__name__)


class NotOurs(RuntimeError):
    """The workload belongs to another collector now: read no further."""


class Buffer:
    """One owned workload's lines on their way to the store."""

    def __init__(self, workload: Owned) -> None:
        self.workload_id = workload.workload_id
        self.epoch = workload.epoch
        self.last_seq = workload.last_seq
        self.pending = Pending()
        self.is_writing = False
        self.is_ours = True
        self.moved = asyncio.Condition()

    @property
    def is_settled(self) -> bool:
        """Tell whether everything is in the store."""
        return not self.is_writing and not self.pending.drafts


class Writer:
    """The buffers of one term, and the loop that empties them."""

    def __init__(self, held: Held, publisher: Publisher) -> None:
        self._held = held
        self._publisher = publisher
        self._buffers: dict[UUID, Buffer] = {}
        self._added = asyncio.Event()

    def buffer_of(self, workload: Owned) -> Buffer:
        """Return a workload's buffer, a new one where the epoch changed."""
        buffer = self._buffers.get(workload.workload_id)
        if buffer is None or buffer.epoch != workload.epoch or not buffer.is_ours:
            buffer = self._buffers[workload.workload_id] = Buffer(workload)
        return buffer

    def forget(self, workload_id: UUID) -> None:
        """Drop a workload that is sealed or not ours any more."""
        if buffer := self._buffers.pop(workload_id, None):
            buffer.is_ours = False

    async def put(self, buffer: Buffer, source_id: int, draft: Draft, mark: Mark, *, size_bytes: int) -> None:
        """Take a line over; waits while the buffer is full. Raises NotOurs."""
        if buffer.pending.is_full:
            async with buffer.moved:
                await buffer.moved.wait_for(lambda: not buffer.pending.is_full or not buffer.is_ours)
        if not buffer.is_ours:
            raise NotOurs
        was_empty = not buffer.pending.drafts
        buffer.pending.add(source_id, draft, mark, size_bytes=size_bytes, now_s=_now_s())
        if was_empty or buffer.pending.due_s <= _now_s():
            self._added.set()

    async def settle(self, buffer: Buffer) -> None:
        """Wait until every line that was put is in the store. Raises NotOurs."""
        async with buffer.moved:
            await buffer.moved.wait_for(lambda: buffer.is_settled or not buffer.is_ours)
        if not buffer.is_ours:
            raise NotOurs

    async def run(self) -> None:
        """Write what is due until cancelled. Raises LeaseLost."""
        while True:
            due = await self._wait_for_due()
            batches = [self._batch(buffer) for buffer in due]
            stored = await self._append(batches)
            for buffer, batch in zip(due, batches, strict=True):
                await self._settle(buffer, batch, stored.get(buffer.workload_id))

    async def _wait_for_due(self) -> list[Buffer]:
        while True:
            self._added.clear()
            now_s = _now_s()
            waiting = [buffer for buffer in self._buffers.values() if buffer.pending.drafts and buffer.is_ours]
            if due := [buffer for buffer in waiting if buffer.pending.due_s <= now_s]:
                return due[:MAX_BATCHES]
            next_s = min((buffer.pending.due_s for buffer in waiting), default=None)
            try:
                await asyncio.wait_for(self._added.wait(), None if next_s is None else next_s - now_s)
            except TimeoutError:
                continue

    def _batch(self, buffer: Buffer) -> store.Batch:
        buffer.is_writing = True
        drafts, marks, text_bytes = buffer.pending.take(_now_s())
        return store.Batch(buffer.workload_id, buffer.epoch, buffer.last_seq, drafts, marks, text_bytes)

    async def _append(self, batches: Sequence[store.Batch]) -> dict[UUID, list[Line]]:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                return await database_sync_to_async(store.append, thread_sensitive=False)(self._held, batches)
            except Error as exc:
                logger.warning("log lines wait for the database", error=str(exc).strip(), pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _settle(self, buffer: Buffer, batch: store.Batch, lines: list[Line] | None) -> None:
        buffer.is_writing = False
        if lines is None:
            buffer.is_ours = False
            logger.warning("log belongs to another collector", workload=str(batch.workload_id))
        else:
            buffer.last_seq = batch.end_seq
            self._publisher.put(batch.workload_id, LogBatch(lines))
        async with buffer.moved:
            buffer.moved.notify_all()


def _now_s() -> float:
    return asyncio.get_running_loop().time()
