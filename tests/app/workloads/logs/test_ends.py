"""When a log counts as read to its end: not because a stream ended, but because a later one had nothing to add."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from portal.kube.fake_logs import FakeLogSource
from portal.live.payloads import GAP, LINE, NOTE
from tests.app.workloads.logs.conftest import LoggedWorkload, collecting, eventually, in_thread
from workloads.models import LogSource, Pod, Workload
from workloads.specs import State

pytestmark = pytest.mark.django_db(transaction=True)


async def opened(logged: LoggedWorkload, count: int) -> None:
    """Wait until the collector has opened that many streams more."""
    wanted = len(logged.logs.opened) + count

    async def check() -> bool:
        return len(logged.logs.opened) >= wanted

    await eventually(check)


async def sources_done(logged: LoggedWorkload) -> int:
    rows = LogSource.objects.filter(pod_uid=logged.pod.uid, done=True)
    return int(await in_thread(rows.count))


async def kinds(logged: LoggedWorkload) -> list[int]:
    return [line.kind for line in await logged.lines()]


async def test_an_empty_stream_of_a_container_that_runs_is_no_end(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.logs.end(*logged.place)
    async with collecting(logged.logs, chunk_directory):
        await opened(logged, 3)
        assert (await sources_done(logged), await logged.is_sealed()) == (0, False)
        await logged.write(1, 2)
        await eventually(lambda: logged.has_lines(2))
        await opened(logged, 2)
        assert await sources_done(logged) == 0
        await logged.end_rows()
        await eventually(logged.is_sealed)
    assert await logged.texts() == ["line 1", "line 2"]


async def test_a_workload_that_ended_is_not_sealed_while_its_container_is_said_to_run(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.write(1)
    await logged.logs.end(*logged.place)
    await in_thread(
        Workload.objects.filter(pk=logged.workload.pk).update, state=State.CANCELLED, ended_at="2026-01-01T01:00:00Z"
    )
    async with collecting(logged.logs, chunk_directory):
        await opened(logged, 6)
        assert (await sources_done(logged), await logged.is_sealed()) == (0, False)
        await logged.end_rows(State.CANCELLED)
        await eventually(logged.is_sealed)


async def test_a_pod_that_goes_after_a_clean_end_while_it_was_said_to_run_leaves_a_gap_marker(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.write(1, 2)
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(2))
        await logged.logs.end(*logged.place)
        await opened(logged, 2)
        await logged.logs.remove(*logged.place)
        await opened(logged, 2)
        assert not await logged.is_sealed()
        await in_thread(Pod.objects.filter(pk=logged.pod.pk).update, gone=True)
        await in_thread(
            Workload.objects.filter(pk=logged.workload.pk).update, state=State.FAILED, ended_at="2026-01-01T01:00:00Z"
        )
        await eventually(logged.is_sealed)
    assert await kinds(logged) == [LINE, LINE, GAP]
    marker = json.loads((await logged.lines())[-1].text)
    assert marker == {"code": "gone", "from": 1_767_225_600_200}


async def test_a_pod_that_goes_right_after_its_stream_outlived_it_leaves_none(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.write(1, 2)
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(2))
        await logged.logs.end(*logged.place)
        await opened(logged, 2)
        await logged.logs.remove(*logged.place)
        await logged.end_rows(State.CANCELLED, gone=True)
        await eventually(logged.is_sealed)
    assert await kinds(logged) == [LINE, LINE]


async def test_a_cut_stream_before_the_pod_went_leaves_a_gap_marker(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.write(1, 2)
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(2))
        await logged.logs.remove(*logged.place)
        await logged.logs.cut_all()
        await logged.end_rows(State.CANCELLED, gone=True)
        await eventually(logged.is_sealed)
    assert await kinds(logged) == [LINE, LINE, GAP]


class EndsEarly(FakeLogSource):
    """Ends each stream cleanly after some lines, as the API server does when the kubelet dies under it."""

    async def follow(self, **asked: Any) -> AsyncGenerator[bytes, None]:
        count = 0
        async for line in super().follow(**asked):
            yield line
            count += 1
            if count == 25:
                return


async def test_streams_that_end_cleanly_too_early_are_read_on_after_the_container_ended(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    logged.logs = EndsEarly()
    await logged.write(*range(200))
    await logged.end()
    async with collecting(logged.logs, chunk_directory):
        await eventually(logged.is_sealed)
    assert await logged.texts() == [f"line {number}" for number in range(200)]


class Forgets(FakeLogSource):
    """Answers with an empty stream once something was read: the node has removed the log."""

    async def follow(self, **asked: Any) -> AsyncGenerator[bytes, None]:
        if asked["since"] is None:
            async for line in super().follow(**asked):
                yield line
        else:
            self.opened.append((asked["namespace"], asked["pod"], asked["container"], asked["since"]))


async def test_a_log_that_the_node_removed_before_its_end_was_read_is_marked(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    logged.logs = Forgets()
    await logged.write(1, 2)
    await logged.end()
    async with collecting(logged.logs, chunk_directory):
        await eventually(logged.is_sealed)
    assert await kinds(logged) == [LINE, LINE, GAP]
    assert json.loads((await logged.lines())[-1].text)["code"] == "removed"


class Complains(FakeLogSource):
    """Ends each stream well, with the kubelet's word that it could not go on."""

    async def follow(self, **asked: Any) -> AsyncGenerator[bytes, None]:
        async for line in super().follow(**asked):
            yield line
        yield b"failed to watch directory"


async def test_a_stream_that_ended_with_a_complaint_outlives_nothing(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    logged.logs = Complains()
    await logged.write(1)
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(1))
        await logged.logs.end(*logged.place)
        await opened(logged, 2)
        await logged.logs.remove(*logged.place)
        await logged.end_rows(State.CANCELLED, gone=True)
        await eventually(logged.is_sealed)
    assert await kinds(logged) == [LINE, NOTE, GAP]
