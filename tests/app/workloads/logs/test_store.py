"""What guards the collector's writes: its lease, its ownership, and the numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.core.leases import Held, LeaseLost
from portal.core.models import Lease, User
from portal.live.payloads import LINE
from tenants.models import Tenant
from workloads.logs import chunks, ownership, read, store
from workloads.logs.chunkstore import DirectoryChunkStore
from workloads.logs.sequencer import Draft, Mark
from workloads.models import LogChunk, LogTail, Pod, Workload

pytestmark = pytest.mark.django_db


def collector() -> Held:
    held = ownership.take_lease()
    assert held is not None
    return held


def batch_of(held: Held, workload: Workload, *texts: str) -> store.Batch:
    mine = ownership.owned(held)[workload.pk]
    drafts = [Draft(1_000 + index, 1, "r0", "main", text, LINE) for index, text in enumerate(texts)]
    return store.Batch(workload.pk, mine.epoch, mine.last_seq, drafts, {}, 10)


def texts(workload: Workload) -> list[str]:
    return [line.text for line in read.lines_after(workload.pk, 0, 1000)]


@pytest.fixture
def held(running: tuple[Workload, Pod]) -> Held:
    held = collector()
    assert ownership.claim(held) == 1
    return held


def test_a_collector_without_its_lease_writes_nothing(held: Held, running: tuple[Workload, Pod]) -> None:
    batch = batch_of(held, running[0], "late")
    ownership.drop_lease(held)
    with pytest.raises(LeaseLost):
        store.append(held, [batch])
    assert texts(running[0]) == []


def test_a_batch_for_a_workload_that_changed_hands_is_not_stored(held: Held, running: tuple[Workload, Pod]) -> None:
    batch = batch_of(held, running[0], "late")
    Workload.objects.filter(pk=running[0].pk).update(log_epoch=batch.epoch + 1, log_collector="another")
    assert store.append(held, [batch]) == {}
    assert texts(running[0]) == []


def test_a_batch_whose_answer_was_lost_is_not_stored_twice(held: Held, running: tuple[Workload, Pod]) -> None:
    batch = batch_of(held, running[0], "a", "b")
    first, again = store.append(held, [batch]), store.append(held, [batch])
    assert first == again
    assert texts(running[0]) == ["a", "b"]


def test_how_far_a_container_is_read_is_kept_with_its_lines(held: Held, running: tuple[Workload, Pod]) -> None:
    workload, pod = running
    place: dict[str, Any] = {"attempt_id": pod.attempt_id, "pod_uid": pod.uid, "container": "main", "restart": 0}
    source = store.open_source(held, **place)
    batch = batch_of(held, workload, "a")
    store.append(held, [store.Batch(batch.workload_id, batch.epoch, 0, batch.drafts, {source.id: Mark(77, 2)}, 1)])
    assert store.open_source(held, **place) == store.Source(source.id, Mark(77, 2), False)


def test_a_living_collectors_workloads_are_left_to_it(held: Held, running: tuple[Workload, Pod]) -> None:
    other = collector()
    assert ownership.claim(other) == 0
    assert running[0].pk in ownership.owned(held)


def test_a_dead_collectors_workloads_are_taken_in_a_new_epoch(held: Held, running: tuple[Workload, Pod]) -> None:
    before = ownership.owned(held)[running[0].pk]
    other = collector()
    Lease.objects.filter(name=held.name).update(expires_at="2026-01-01T00:00:00Z")
    assert ownership.claim(other) == 1
    assert ownership.owned(other)[running[0].pk].epoch == before.epoch + 1
    assert ownership.owned(held) == {}


@pytest.mark.parametrize("row_by_row", [False, True])
def test_two_collectors_share_what_is_free(
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    pod_of: Callable[..., Pod],
    plan_row_by_row: Callable[[], None],
    row_by_row: bool,
) -> None:
    if row_by_row:
        plan_row_by_row()
    for _ in range(5):
        pod_of(make_workload(tenant, owner, state="running"))
    first, second = collector(), collector()
    assert (ownership.claim(first), ownership.claim(second), ownership.claim(first)) == (3, 2, 0)


def test_an_outworn_tail_is_moved_in_chunks_of_a_mebibyte(
    held: Held, running: tuple[Workload, Pod], chunk_directory: Path
) -> None:
    workload = running[0]
    for number in range(9):
        store.append(held, [batch_of(held, workload, *[f"{number} {'w' * 1000}"] * 250)])
    epoch = ownership.owned(held)[workload.pk].epoch
    moved = chunks.roll(held, DirectoryChunkStore(chunk_directory), workload_id=workload.pk, epoch=epoch)
    sizes = list(LogChunk.objects.order_by("first_seq").values_list("first_seq", "last_seq", "text_bytes"))
    assert (moved, LogTail.objects.count()) == (3, 0)
    assert [row[:2] for row in sizes] == [(1, 1000), (1001, 2000), (2001, 2250)]
    assert max(row[2] for row in sizes) <= chunks.CHUNK_BYTES
    assert len(read.lines_after(workload.pk, 0, 5000)) == 2250


def test_lines_without_text_fill_chunks_too(held: Held, running: tuple[Workload, Pod], chunk_directory: Path) -> None:
    workload = running[0]
    for _ in range(8):
        store.append(held, [batch_of(held, workload, *[""] * 8_000)])
    epoch = ownership.owned(held)[workload.pk].epoch
    assert chunks.roll(held, DirectoryChunkStore(chunk_directory), workload_id=workload.pk, epoch=epoch) == 2
    assert list(LogChunk.objects.order_by("first_seq").values_list("lines", flat=True)) == [32_000, 32_000]


def test_a_store_that_cannot_take_chunks_leaves_the_tail_as_it_is(
    held: Held, running: tuple[Workload, Pod], tmp_path: Path
) -> None:
    store.append(held, [batch_of(held, running[0], "kept")])
    (tmp_path / "blocked").write_text("a file where a directory should be")
    epoch = ownership.owned(held)[running[0].pk].epoch
    with pytest.raises(OSError, match="blocked"):
        chunks.seal(held, DirectoryChunkStore(tmp_path / "blocked"), workload_id=running[0].pk, epoch=epoch)
    assert texts(running[0]) == ["kept"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/b", ""])
def test_a_path_that_is_no_chunks_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        DirectoryChunkStore(tmp_path).get(path)
