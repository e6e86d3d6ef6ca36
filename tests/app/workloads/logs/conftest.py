"""A running workload with a pod, and a log collector on a fake cluster and a real database."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from channels.db import database_sync_to_async

from portal.core.models import User
from portal.kube.fake_logs import FakeLogSource
from portal.live.payloads import Line
from tenants.models import Tenant
from workloads.logs import read
from workloads.logs.chunkstore import DirectoryChunkStore
from workloads.logs.collector import Collector
from workloads.models import Attempt, Pod, Workload
from workloads.specs import State

DEADLINE_S = 20.0
BASE = "2026-01-01T00:00:"


def stamped(number: int, text: str | None = None) -> bytes:
    """Return line `number` of a container: ten a second, in order."""
    second, tenth = divmod(number, 10)
    body = f"line {number}" if text is None else text
    return f"{BASE[:-3]}{second // 60:02d}:{second % 60:02d}.{tenth}00000000Z {body}".encode()


async def eventually(check: Callable[[], Awaitable[Any]], *, within_s: float = DEADLINE_S) -> Any:
    """Return the first true answer of `check`; fail after a deadline."""
    deadline = time.monotonic() + within_s
    while not (answer := await check()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.02)
    return answer


def in_thread(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Awaitable[Any]:
    return database_sync_to_async(work, thread_sensitive=False)(*args, **kwargs)


class LoggedWorkload:
    """A workload, its one pod, and what the store has of its log."""

    def __init__(self, workload: Workload, pod: Pod, logs: FakeLogSource) -> None:
        self.workload, self.pod, self.logs = workload, pod, logs
        self.namespace = f"berth-{workload.tenant.slug}"

    @property
    def place(self) -> tuple[str, str, str]:
        return self.namespace, self.pod.name, "main"

    async def write(self, *numbers: int) -> None:
        await self.logs.write(*self.place, *[stamped(number) for number in numbers])

    async def end(self, *, state: State = State.SUCCEEDED) -> None:
        """End the container, the pod and the workload, in the log and in the rows."""
        await self.logs.end(*self.place)
        await self.end_rows(state)

    async def end_rows(self, state: State = State.SUCCEEDED, *, gone: bool = False) -> None:
        """End the container, the pod and the workload in the rows."""
        await in_thread(self._end_rows, state, gone)

    def _end_rows(self, state: State, gone: bool) -> None:
        container = {**self.pod.containers[0], "state": "terminated", "ended_at": "2026-01-01T00:59:59+00:00"}
        Pod.objects.filter(pk=self.pod.pk).update(phase="Succeeded", containers=[container], gone=gone)
        Workload.objects.filter(pk=self.workload.pk).update(state=state, ended_at="2026-01-01T01:00:00Z")

    async def lines(self) -> list[Line]:
        found: list[Line] = await in_thread(read.lines_after, self.workload.pk, 0, 100_000)
        return found

    async def texts(self) -> list[str]:
        return [line.text for line in await self.lines()]

    async def has_lines(self, count: int) -> bool:
        return len(await self.lines()) >= count

    async def is_sealed(self) -> bool:
        rows = Workload.objects.filter(pk=self.workload.pk, log_sealed=True)
        return bool(await in_thread(rows.exists))


@pytest.fixture(autouse=True)
def chunk_directory(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "logs-store"


@pytest.fixture
def pod_of(db: None) -> Callable[..., Pod]:
    """Make an attempt and its running pod."""

    def make(workload: Workload, *, n: int = 1, state: str = "running", restarts: int = 0) -> Pod:
        attempt = Attempt.objects.create(
            workload=workload,
            tenant=workload.tenant,
            n=n,
            object_name=f"{workload.kube_name}-{n}",
            holds={"cpu_millicores": 10, "memory_mib": 16, "pods": 1},
            released_at=None if n == 1 else "2026-01-01T00:00:00Z",
        )
        return Pod.objects.create(
            uid=uuid.uuid4(),
            attempt=attempt,
            name=f"{workload.kube_name}-{n}-abcde",
            phase="Running",
            containers=[{"name": "main", "restarts": restarts, "state": state, "reason": ""}],
        )

    return make


@pytest.fixture
def running(
    tenant: Tenant, owner: User, make_workload: Callable[..., Workload], pod_of: Callable[..., Pod]
) -> tuple[Workload, Pod]:
    """A workload in state running with one pod."""
    workload = make_workload(tenant, owner, state=State.RUNNING)
    return workload, pod_of(workload)


@pytest.fixture
async def logged(running: tuple[Workload, Pod]) -> LoggedWorkload:
    workload, pod = running
    return LoggedWorkload(workload, pod, FakeLogSource())


@asynccontextmanager
async def collecting(logs: FakeLogSource, directory: Path) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a collector; afterwards it ends as on SIGTERM, unless the test killed it."""
    stop = asyncio.Event()
    collector = Collector(logs=logs, store=DirectoryChunkStore(directory))
    task = asyncio.create_task(collector.run(stop))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.gather(task, return_exceptions=True)
