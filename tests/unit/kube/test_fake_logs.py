import asyncio
from datetime import UTC, datetime

import pytest

from portal.kube.errors import BadRequest, ClusterUnavailable, NotFound
from portal.kube.fake import FakeLogSource

WHO = ("berth-x", "pod", "main")


async def read(logs: FakeLogSource, *, follow: bool = True, since: datetime | None = None) -> list[bytes]:
    lines = logs.follow(namespace="berth-x", pod="pod", container="main", since=since, follow=follow)
    return [line async for line in lines]


async def test_a_reader_gets_what_was_and_what_comes_until_the_end() -> None:
    logs = FakeLogSource()
    await logs.write(*WHO, b"2026-01-01T00:00:00Z a")
    reader = asyncio.create_task(read(logs))
    await asyncio.sleep(0)
    await logs.write(*WHO, b"2026-01-01T00:00:01Z b")
    await logs.end(*WHO)
    assert await reader == [b"2026-01-01T00:00:00Z a", b"2026-01-01T00:00:01Z b"]


async def test_since_has_a_resolution_of_one_second() -> None:
    logs = FakeLogSource()
    await logs.write(*WHO, b"2026-01-01T00:00:00.9Z a", b"2026-01-01T00:00:01.1Z b", b"2026-01-01T00:00:01.9Z c")
    since = datetime(2026, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert await read(logs, follow=False, since=since) == [b"2026-01-01T00:00:01.1Z b", b"2026-01-01T00:00:01.9Z c"]


async def test_a_cut_stream_tells_its_reader() -> None:
    logs = FakeLogSource()
    await logs.write(*WHO, b"2026-01-01T00:00:00Z a")
    lines = logs.follow(namespace="berth-x", pod="pod", container="main")
    assert await anext(lines) == b"2026-01-01T00:00:00Z a"
    await logs.cut_all()
    with pytest.raises(ClusterUnavailable):
        await anext(lines)


async def test_planned_failures_and_unknown_pods_are_told() -> None:
    logs = FakeLogSource()
    logs.fail_next(BadRequest("ContainerCreating"))
    with pytest.raises(BadRequest):
        await read(logs)
    with pytest.raises(NotFound):
        await read(logs)
