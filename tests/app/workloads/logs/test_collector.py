"""Lines come in once, whatever is cut, killed or restarted."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from django.db import OperationalError

from portal.core import hints
from portal.core.leases import Held
from portal.live.payloads import CONTINUATION, GAP, LINE, Line
from tests.app.workloads.logs.conftest import LoggedWorkload, collecting, eventually, in_thread, stamped
from workloads.logs import collector, store
from workloads.models import LogChunk, LogTail, Pod, Workload
from workloads.specs import State

pytestmark = pytest.mark.django_db(transaction=True)


async def test_lines_are_numbered_from_one_without_holes(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.write(*range(50))
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(50))
        await logged.write(*range(50, 60))
        await eventually(lambda: logged.has_lines(60))
    lines = await logged.lines()
    assert [line.seq for line in lines] == list(range(1, 61))
    assert [line.text for line in lines] == [f"line {number}" for number in range(60)]
    assert {(line.attempt, line.pod, line.container, line.kind) for line in lines} == {(1, "r0", "main", LINE)}


async def test_a_finished_log_is_sealed_into_chunks(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.write(*range(20))
    async with collecting(logged.logs, chunk_directory):
        await eventually(lambda: logged.has_lines(20))
        await logged.end()
        await eventually(logged.is_sealed)
    assert await in_thread(LogTail.objects.count) == 0
    assert await in_thread(LogChunk.objects.count) == 1
    assert await logged.texts() == [f"line {number}" for number in range(20)]


async def test_streams_that_are_cut_again_and_again_lose_and_double_nothing(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    async with collecting(logged.logs, chunk_directory):
        for start in range(0, 100, 10):
            await logged.write(*range(start, start + 10))
            await eventually(partial(logged.has_lines, start + 1))
            await logged.logs.cut_all()
        await eventually(lambda: logged.has_lines(100))
        await logged.end()
        await eventually(logged.is_sealed)
    assert await logged.texts() == [f"line {number}" for number in range(100)]


async def test_a_killed_collector_is_followed_by_another_that_stores_each_line_once(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    await logged.write(*range(30))
    async with collecting(logged.logs, chunk_directory) as first:
        await eventually(lambda: logged.has_lines(10))
        first.cancel()
    async with collecting(logged.logs, chunk_directory):
        await logged.write(*range(30, 60))
        await eventually(lambda: logged.has_lines(60), within_s=15)
        await logged.end()
        await eventually(logged.is_sealed)
    assert await logged.texts() == [f"line {number}" for number in range(60)]


async def test_a_pod_that_vanished_unread_leaves_a_gap_marker(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.end_rows(State.FAILED)
    async with collecting(logged.logs, chunk_directory):
        await eventually(logged.is_sealed)
    assert [(line.kind, line.text) for line in await logged.lines()] == [(GAP, '{"code":"unread"}')]


async def test_a_workload_that_never_had_an_attempt_is_sealed_empty(
    logged: LoggedWorkload, chunk_directory: Path, make_workload: Callable[..., Workload]
) -> None:
    cancelled = await in_thread(
        make_workload,
        logged.workload.tenant,
        logged.workload.owner,
        state="cancelled",
        ended_at="2026-01-01T00:00:00Z",
    )

    async def sealed() -> bool:
        return bool(await in_thread(Workload.objects.filter(pk=cancelled.pk, log_sealed=True).exists))

    async with collecting(logged.logs, chunk_directory):
        await eventually(sealed)


async def test_a_restarted_container_keeps_the_log_of_its_run_before(
    logged: LoggedWorkload, chunk_directory: Path
) -> None:
    container = {"name": "main", "restarts": 1, "state": "running", "reason": ""}
    await in_thread(Pod.objects.filter(pk=logged.pod.pk).update, containers=[container])
    logged.pod.containers = [container]
    await logged.logs.write(*logged.place, *[stamped(number) for number in range(5)], previous=True)
    await logged.logs.end(*logged.place, previous=True)
    await logged.write(*range(5, 10))
    async with collecting(logged.logs, chunk_directory):
        await eventually(partial(logged.has_lines, 10))
        await logged.end()
        await eventually(logged.is_sealed)
    assert await logged.texts() == [f"line {number}" for number in range(10)]


async def test_lines_that_were_rotated_away_leave_a_gap_marker(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.write(*range(5))
    async with collecting(logged.logs, chunk_directory):
        await eventually(partial(logged.has_lines, 5))
        await logged.logs.remove(*logged.place)
        await logged.write(*range(40, 45))
        await logged.logs.cut_all()
        await eventually(partial(logged.has_lines, 11))
    assert [(line.text if line.kind == LINE else line.kind) for line in await logged.lines()] == [
        *[f"line {number}" for number in range(5)],
        GAP,
        *[f"line {number}" for number in range(40, 45)],
    ]


async def test_hostile_bytes_and_long_lines_are_stored_harmless(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.logs.write(*logged.place, b"2026-01-01T00:00:00Z nul \x00 \xff", stamped(1, "long " * 20_000))
    async with collecting(logged.logs, chunk_directory):
        await eventually(partial(logged.has_lines, 3))
    lines = await logged.lines()
    assert lines[0].text == "nul \u2400 \ufffd"
    assert [line.kind for line in lines] == [LINE, LINE, CONTINUATION]
    assert lines[1].text + lines[2].text == "long " * 20_000


@pytest.mark.parametrize("is_committed", [True, False])
async def test_a_database_that_goes_away_in_mid_write_loses_and_doubles_nothing(
    logged: LoggedWorkload, chunk_directory: Path, monkeypatch: pytest.MonkeyPatch, is_committed: bool
) -> None:
    append, failures = store.append, iter(range(4))

    def failing(held: Held, batches: Sequence[store.Batch]) -> dict[UUID, list[Line]]:
        if next(failures, None) is None:
            return append(held, batches)
        if is_committed:
            append(held, batches)
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store, "append", failing)
    async with collecting(logged.logs, chunk_directory):
        for start in range(0, 40, 10):
            await logged.write(*range(start, start + 10))
        await logged.end()
        await eventually(logged.is_sealed)
    assert await logged.texts() == [f"line {number}" for number in range(40)]


async def test_a_wake_has_a_container_followed_before_the_next_look(
    logged: LoggedWorkload, chunk_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "SURVEY_S", 600.0)
    waiting = [{**logged.pod.containers[0], "state": "waiting"}]
    await in_thread(Pod.objects.filter(pk=logged.pod.pk).update, containers=waiting)
    await logged.write(1)
    async with collecting(logged.logs, chunk_directory):

        async def owned() -> bool:
            return bool(await in_thread(Workload.objects.exclude(log_collector="").exists))

        await eventually(owned)
        await in_thread(Pod.objects.filter(pk=logged.pod.pk).update, containers=logged.pod.containers)

        async def woken() -> bool:
            await in_thread(hints.wake, collector.WAKE)  # again and again: the first look may still be under way
            return await logged.has_lines(1)

        await eventually(woken)
