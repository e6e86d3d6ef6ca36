"""Reads one run of one container to its end, whatever gets cut on the way; each line is put to the writer once.

A stream that ended cleanly proves nothing: the API server ends one so when the kubelet dies under it, and while a pod
is on no node. A run is read to its end when a stream that was opened after the run had ended brings the last line
again and no more.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import structlog
from channels.db import database_sync_to_async
from django.db import Error

from portal.core import loggaps
from portal.core.leases import Held
from portal.core.loggaps import Gap, gap_line
from portal.kube import gateway
from portal.kube.errors import BadRequest, KubeError, NotFound
from portal.kube.lines import LogLine, parse_line
from portal.live.payloads import CONTINUATION, GAP, LINE, NOTE
from workloads.logs import read, store
from workloads.logs.containers import Run
from workloads.logs.sequencer import MS_NS, SECOND_NS, Draft, Mark, Seen, resume_ns, resume_time
from workloads.logs.text import clean_text
from workloads.logs.writer import Buffer, NotOurs, Writer
from workloads.models import LogSource

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
_AGAIN_S = 0.25
_MAX_SILENT = 20
_LATE_ROW_NS = 120 * SECOND_NS
logger = structlog.get_logger(__name__)


class Follower:
    """`look` returns what is known of the run now; it changes while we read."""

    def __init__(
        self, *, held: Held, logs: gateway.LogSource, writer: Writer, buffer: Buffer, look: Callable[[], Run]
    ) -> None:
        self._held = held
        self._logs = logs
        self._writer = writer
        self._buffer = buffer
        self._look = look
        self._source = store.Source(0, Mark(), False)
        self._mark = Mark()
        self._clean_end_s: float | None = None  # when the latest stream ended, None where it was cut
        self._heard_lines = False
        self._new_lines = False
        self._heard_note = False
        self._silent = 0
        self._last_note = ""

    async def run(self) -> None:
        """Read to the end and mark it. Raises LeaseLost; ends quietly when the workload is not ours any more."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                if await self._once():
                    return
                pause_s = _FIRST_PAUSE_S
                if not self._new_lines:
                    await asyncio.sleep(_AGAIN_S)
            except NotOurs:
                return
            except (KubeError, Error) as exc:
                run = self._look()
                if self._heard_lines:
                    pause_s = _FIRST_PAUSE_S
                logger.info("log cut off", pod=run.pod, container=run.key.container, error=str(exc).strip())
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _once(self) -> bool:
        """Connect once; returns whether the run is read to its end."""
        run = self._look()
        self._heard_lines = self._new_lines = self._heard_note = False
        if not await self._open(run):
            return True
        if not run.is_readable:
            return await self._lost()
        try:
            await self._stream(run)
        except NotFound:
            return await self._lost()
        except BadRequest:
            if run.ended:
                return await self._lost()
            raise
        except KubeError:
            self._clean_end_s = None
            raise
        # What the kubelet says in between is that it could not go on.
        self._clean_end_s = None if self._heard_note else time.time()
        return await self._finish_if_read(run)

    async def _finish_if_read(self, run: Run) -> bool:
        """Finish once a stream that was opened after the run's end ended well and brought nothing new."""
        if not run.ended or self._new_lines:
            return False
        if self._heard_lines:
            return await self._finish()
        self._silent += 1  # what is stored should have come again; where nothing is, look twice
        if self._silent < (_MAX_SILENT if self._mark.time_ns else 2):
            return False
        if not self._mark.time_ns:
            return await self._finish()
        await self._put_gap(run, Gap(loggaps.REMOVED, self._mark.time_ms))
        return await self._finish()

    async def _open(self, run: Run) -> bool:
        await self._writer.settle(self._buffer)
        opening = database_sync_to_async(store.open_source, thread_sensitive=False)
        key = run.key
        self._source = await opening(
            self._held, attempt_id=run.attempt_id, pod_uid=key.pod_uid, container=key.container, restart=key.restart
        )
        self._mark = self._source.mark
        return not self._source.done

    async def _stream(self, run: Run) -> None:
        since_ns = resume_ns(self._mark)
        seen = Seen(await database_sync_to_async(_stored_times, thread_sensitive=False)(run, since_ns, self._mark))
        lines = self._logs.follow(
            namespace=run.namespace,
            pod=run.pod,
            container=run.key.container,
            since=resume_time(since_ns),
            previous=not run.is_current,
            follow=not run.ended,
        )
        async with aclosing(lines) as stream:
            await self._take(stream, run, seen)

    async def _take(self, stream: AsyncIterator[bytes], run: Run, seen: Seen) -> None:
        is_checked = not self._mark.time_ns  # of a run of which nothing is stored nothing can come again
        async for raw in stream:
            line = parse_line(raw)
            if line.time_ns is None:
                self._heard_note = True
                await self._put_note(run, line)
                continue
            self._heard_lines = True
            if seen.is_new(line.time_ns):
                if not is_checked and seen.is_torn:
                    resumed_ms = max(self._mark.time_ms, line.time_ns // MS_NS)  # stamps of two files may overlap
                    await self._put_gap(run, Gap(loggaps.ROTATED, self._mark.time_ms, resumed_ms))
                is_checked = True
                await self._put_line(run, line, line.time_ns)

    async def _put_line(self, run: Run, line: LogLine, time_ns: int) -> None:
        self._mark = self._mark.next(time_ns)
        self._new_lines = True
        kind = CONTINUATION if line.continuation else LINE
        await self._put(run, time_ns, clean_text(line.text), kind, len(line.text))

    async def _put_note(self, run: Run, line: LogLine) -> None:
        text = clean_text(line.text)
        if text == self._last_note:
            return  # the kubelet says it again with each connection
        self._last_note = text
        await self._put(run, self._mark.time_ns or time.time_ns(), text, NOTE, len(line.text))

    async def _put_gap(self, run: Run, gap: Gap) -> None:
        await self._put(run, time.time_ns(), gap_line(gap), GAP, 0)

    async def _put(self, run: Run, time_ns: int, text: str, kind: int, size_bytes: int) -> None:
        draft = Draft(time_ns, run.attempt_n, run.label, run.key.container, text, kind)
        await self._writer.put(self._buffer, self._source.id, draft, self._mark, size_bytes=size_bytes)

    async def _lost(self) -> bool:
        """Close a run whose log cannot be read any more; say so, unless its last stream outlived it."""
        run = self._look()
        if not run.ended:
            raise NotFound("the pod is gone, its row not yet")  # ask again: the row will say how it ended
        if not self._has_outlived(run):
            known = self._mark.time_ns > 0
            await self._put_gap(run, Gap(loggaps.GONE, self._mark.time_ms) if known else Gap(loggaps.UNREAD))
        return await self._finish()

    def _has_outlived(self, run: Run) -> bool:
        """Tell whether the latest stream ended well, and not before the run did: nothing came after it then."""
        if self._clean_end_s is None or run.ended_s is None:
            return False
        return self._clean_end_s >= run.ended_s

    async def _finish(self) -> bool:
        await self._writer.settle(self._buffer)
        await database_sync_to_async(store.close_source, thread_sensitive=False)(self._held, self._source.id)
        return True


def _stored_times(run: Run, since_ns: int, mark: Mark) -> list[int]:
    """Return the times of the run's stored lines from then on; a first run that stored nothing has none."""
    key = run.key
    if not mark.time_ns:
        if key.restart == 0:
            return []
        # Until the row told of the restart, lines of this run counted as the earlier one's.
        earlier = LogSource.objects.filter(pod_uid=key.pod_uid, container=key.container, restart=key.restart - 1)
        since_ns = max(0, (earlier.values_list("last_time_ns", flat=True).first() or 0) - _LATE_ROW_NS)
    place = (run.attempt_n, run.label, key.container)
    return [
        line.time_ns
        for line in read.lines_since(run.workload_id, since_ns)
        if (line.attempt, line.pod, line.container) == place and line.kind in (LINE, CONTINUATION)
    ]
