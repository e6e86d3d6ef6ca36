"""The log collector's life: hold a lease, own workloads, follow their containers, whether or not anybody watches.

A term lasts as long as the lease; when it is lost everything is dropped and begun anew from what the store says.
Never ends because the cluster, the database or the broker is away.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import structlog
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import Error

from portal.core import leases
from portal.core.hints import wake_topic
from portal.core.leases import Held, LeaseLost
from portal.kube.gateway import LogSource
from portal.live.hub import Hub
from portal.live.payloads import LogBatch
from workloads.logs import chunks, ownership, retention
from workloads.logs.chunkstore import ChunkStore
from workloads.logs.codec import DamagedBatch
from workloads.logs.containers import Run, RunKey, survey
from workloads.logs.follower import Follower
from workloads.logs.ownership import Owned
from workloads.logs.publisher import Publisher
from workloads.logs.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

WAKE = "logs"
SURVEY_S = 2.0  # without a wake
_LEAST_PAUSE_S = 0.1
_SETTLED_S = 0.5
ROLL_EVERY_S = 5.0
EXPIRE_EVERY_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 5.0
logger = structlog.get_logger(__name__)


class Bell:
    """Rings when the controller has written pods, when it may have while the broker was away, and when we say so."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()

    def on_message(self, payload: bytes) -> None:
        """Ring."""
        self.rung.set()

    def on_outage(self) -> None:
        """Ring."""
        self.rung.set()


class Collector:
    """One process' worth of log collecting; `run` it in one event loop."""

    def __init__(self, *, logs: LogSource, store: ChunkStore) -> None:
        self._logs = logs
        self._store = store

    async def run(self, stop: asyncio.Event) -> None:
        """Collect until `stop` is set; then give the lease up, so that nobody has to wait for it to lapse."""
        pause_s = _FIRST_PAUSE_S
        while not stop.is_set():
            try:
                held = await _in_thread(ownership.take_lease)
                if held is not None:
                    await self._term(held, stop)
                    pause_s = _FIRST_PAUSE_S
            except Error as exc:
                logger.warning("log collector waits for the database", error=str(exc).strip())
            await _sleep_unless(stop, pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _term(self, held: Held, stop: asyncio.Event) -> None:
        logger.info("log collector holds its lease", holder=held.holder, epoch=held.epoch)
        term = Term(held=held, logs=self._logs, store=self._store)
        work = asyncio.create_task(term.run(), name="log-term")
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            work.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
        await _in_thread(ownership.drop_lease, held)


class Term:
    """What lasts as long as one hold of the lease."""

    def __init__(self, *, held: Held, logs: LogSource, store: ChunkStore) -> None:
        self._held = held
        self._logs = logs
        self._store = store
        self._publisher = Publisher()
        self._writer = Writer(held, self._publisher)
        self._owned: dict[UUID, Owned] = {}
        self._runs: dict[RunKey, Run] = {}
        self._tasks: dict[RunKey, asyncio.Task[None]] = {}
        self._complete: dict[UUID, float] = {}  # since when
        self._hub, self._bell = Hub(settings.REDIS_URL), Bell()
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Work until the lease is lost (returns) or until cancelled."""
        loops = [self._renew(), self._writer.run(), self._publisher.run(), self._watch(), self._roll(), self._expire()]
        tasks = [asyncio.create_task(self._guard(loop)) for loop in loops]
        try:
            await self._lost.wait()
        finally:
            await _end({*tasks, *self._tasks.values()})
            await self._hub.leave(wake_topic(WAKE), self._bell)

    async def _keep(self, follower: Follower) -> None:
        """Run a follower; one that fails is begun anew after a while, and stops no other."""
        try:
            await follower.run()
        except LeaseLost:
            self._lost.set()
        except Exception:
            logger.exception("log follower failed")
            await asyncio.sleep(_LONGEST_PAUSE_S)
        finally:
            self._bell.rung.set()

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a part of the term; whatever ends it ends the term, and the next one begins from the store."""
        try:
            await work
        except LeaseLost:
            logger.warning("log collector lost its lease", holder=self._held.holder, epoch=self._held.epoch)
            self._lost.set()
        except Exception:
            logger.exception("part of the log collector failed")
            self._lost.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(leases.RENEW_S)
            await _patiently(leases.renew, self._held)

    async def _watch(self) -> None:
        await self._hub.join(wake_topic(WAKE), self._bell)
        while True:
            self._bell.rung.clear()
            await _patiently(ownership.claim, self._held)
            await _patiently(ownership.seal_empty, self._held)
            self._owned = await _patiently(ownership.owned, self._held)
            found = await _patiently(survey, self._held)
            self._follow(found.runs)
            await self._seal(found.complete)
            await asyncio.sleep(_LEAST_PAUSE_S)
            await _sleep_unless(self._bell.rung, _SETTLED_S if self._complete else SURVEY_S)

    def _follow(self, runs: dict[RunKey, Run]) -> None:
        self._runs |= runs
        for key, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[key]
            elif key not in runs and self._runs[key].workload_id not in self._owned:
                task.cancel()
        for key, run in runs.items():
            # One run of a container after the other, so that their lines stand in order.
            is_first = RunKey(key.pod_uid, key.container, key.restart - 1) not in runs
            if is_first and key not in self._tasks and run.workload_id in self._owned:
                self._tasks[key] = asyncio.create_task(self._keep(self._follower(key, run)))
        for key in self._runs.keys() - runs.keys() - self._tasks.keys():
            del self._runs[key]

    def _follower(self, key: RunKey, run: Run) -> Follower:
        buffer = self._writer.buffer_of(self._owned[run.workload_id])
        return Follower(
            held=self._held, logs=self._logs, writer=self._writer, buffer=buffer, look=lambda: self._runs[key]
        )

    async def _seal(self, complete: frozenset[UUID]) -> None:
        """Close logs that stay complete for a while, since rows of one end are not written all at once."""
        now_s = asyncio.get_running_loop().time()
        self._complete = {workload_id: self._complete.get(workload_id, now_s) for workload_id in complete}
        settled = {workload_id for workload_id, since_s in self._complete.items() if now_s - since_s >= _SETTLED_S}
        for workload_id in settled & self._owned.keys():
            epoch = self._owned[workload_id].epoch
            try:
                is_sealed = await _patiently(chunks.seal, self._held, self._store, workload_id=workload_id, epoch=epoch)
            except (OSError, DamagedBatch) as exc:
                logger.warning("log not sealed", workload=str(workload_id), error=str(exc))
                continue
            if is_sealed:
                self._writer.forget(workload_id)
                self._publisher.put(workload_id, LogBatch(sealed=True))

    async def _roll(self) -> None:
        while True:
            await asyncio.sleep(ROLL_EVERY_S)
            for workload_id in await _patiently(chunks.due, self._held):
                if (mine := self._owned.get(workload_id)) is not None:
                    await self._roll_one(mine)

    async def _expire(self) -> None:
        """Remove logs whose time is over, all that are due, a bounded number at a time."""
        while True:
            try:
                while await _patiently(retention.expire, self._held) or await _patiently(
                    retention.remove, self._held, self._store
                ):
                    await asyncio.sleep(_LEAST_PAUSE_S)
            except OSError as exc:
                logger.warning("expired logs not removed", error=str(exc))
            await asyncio.sleep(EXPIRE_EVERY_S)

    async def _roll_one(self, mine: Owned) -> None:
        try:
            await _patiently(chunks.roll, self._held, self._store, workload_id=mine.workload_id, epoch=mine.epoch)
        except (OSError, DamagedBatch) as exc:
            logger.warning("log stays in the tail", workload=str(mine.workload_id), error=str(exc))


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    return await database_sync_to_async(work, thread_sensitive=False)(*args, **kwargs)


async def _patiently(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run database work in a thread, again and again while the database is away."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await _in_thread(work, *args, **kwargs)
        except Error as exc:
            logger.warning("log collector waits for the database", work=work.__name__, error=str(exc).strip())
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)


async def _end(tasks: set["asyncio.Task[None]"]) -> None:
    """Cancel until all are done: a client that is about to send may swallow a cancellation."""
    pending = tasks
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)


async def _sleep_unless(stop: asyncio.Event, pause_s: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), pause_s)
    except TimeoutError:
        return
