"""A log is kept as long as was promised, then it goes whole, and its page says so."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portal.core.leases import Held, LeaseLost
from portal.core.models import User
from tests.app.workloads.logs.conftest import LoggedWorkload, collecting, eventually, in_thread
from tests.app.workloads.logs.test_logviews import tail
from workloads.logs import chunks, ownership, read, retention
from workloads.logs.chunkstore import ChunkStore, DirectoryChunkStore
from workloads.models import LogChunk, Pod, Workload
from workloads.specs import State

SignedIn = Callable[[User], Client]
pytestmark = pytest.mark.django_db


class StoreThatKeeps(DirectoryChunkStore):
    """A store that does not let go of one chunk."""

    kept = ""

    def delete(self, path: str) -> None:
        if path == self.kept:
            raise OSError("not permitted")
        super().delete(path)


class FailingStore(DirectoryChunkStore):
    """A store that loses one chunk and then is away."""

    def delete(self, path: str) -> None:
        super().delete(path)
        raise OSError("the store is away")


def ended(days: float) -> dict[str, Any]:
    return {"state": State.SUCCEEDED, "ended_at": datetime.now(UTC) - timedelta(days=days)}


@pytest.fixture
def held(db: None) -> Held:
    held = ownership.take_lease()
    assert held is not None
    return held


@pytest.fixture
def store(chunk_directory: Path) -> ChunkStore:
    return DirectoryChunkStore(chunk_directory)


@pytest.fixture
def sealed(running: tuple[Workload, Pod], held: Held, store: ChunkStore) -> Workload:
    """A workload that ended 31 days ago, with a log of 20 lines in one chunk."""
    workload, _ = running
    tail(workload, 1, 20)
    ownership.claim(held)
    epoch = ownership.owned(held)[workload.pk].epoch
    assert chunks.seal(held, store, workload_id=workload.pk, epoch=epoch)
    Workload.objects.filter(pk=workload.pk).update(**ended(31))
    workload.refresh_from_db()
    return workload


def files(directory: Path) -> int:
    return sum(1 for path in directory.rglob("*") if path.is_file())


def test_a_log_is_removed_from_store_and_rows_when_its_time_is_over(
    sealed: Workload, held: Held, store: ChunkStore, chunk_directory: Path
) -> None:
    assert files(chunk_directory) == 1
    assert (retention.expire(held), retention.remove(held, store)) == (1, 1)
    assert (files(chunk_directory), LogChunk.objects.count()) == (0, 0)
    sealed.refresh_from_db()
    assert sealed.log_expired_at is not None
    assert (retention.expire(held), retention.remove(held, store)) == (0, 0)


@pytest.mark.parametrize(
    "fields",
    [ended(29), {**ended(31), "log_sealed": False}, {**ended(31), "log_last_seq": 0}],
    ids=["younger", "not read to its end", "without a line"],
)
def test_what_is_younger_or_still_read_or_empty_is_left_alone(
    sealed: Workload, held: Held, fields: dict[str, Any]
) -> None:
    Workload.objects.filter(pk=sealed.pk).update(**fields)
    assert retention.expire(held) == 0


def test_nothing_expires_where_logs_are_kept_for_ever(sealed: Workload, held: Held, settings: Any) -> None:
    settings.LOG_RETENTION_DAYS = 0
    assert retention.expire(held) == 0
    assert retention.kept_until(sealed) is None


def test_a_collector_without_its_lease_removes_nothing(
    sealed: Workload, held: Held, store: ChunkStore, chunk_directory: Path
) -> None:
    ownership.drop_lease(held)
    with pytest.raises(LeaseLost):
        retention.expire(held)
    assert len(read.lines_after(sealed.pk, 0, 100)) == 20
    assert files(chunk_directory) == 1


def test_what_a_store_that_failed_left_is_removed_at_the_next_round(
    sealed: Workload, held: Held, store: ChunkStore, chunk_directory: Path
) -> None:
    retention.expire(held)
    with pytest.raises(OSError, match="away"):
        retention.remove(held, FailingStore(chunk_directory))
    assert read.lines_after(sealed.pk, 0, 100) == []  # no error for readers, though the row still names a chunk
    assert retention.remove(held, store) == 1
    assert LogChunk.objects.count() == 0


def test_a_chunk_that_the_store_keeps_holds_up_no_other(sealed: Workload, held: Held, chunk_directory: Path) -> None:
    first = LogChunk.objects.get()
    LogChunk.objects.create(
        workload=sealed, first_seq=21, last_seq=21, first_time_ns=1, last_time_ns=1, lines=1, text_bytes=1,
        path=f"{sealed.pk}/21-21",
    )  # fmt: skip
    keeping = StoreThatKeeps(chunk_directory)
    keeping.put(f"{sealed.pk}/21-21", b"x")
    keeping.kept = first.path
    retention.expire(held)
    with pytest.raises(OSError, match="not permitted"):
        retention.remove(held, keeping)
    assert list(LogChunk.objects.all()) == [first]
    assert files(chunk_directory) == 1


def test_the_page_says_until_when_a_log_is_kept_and_later_that_it_was_removed(
    sealed: Workload, held: Held, owner: User, client_of: SignedIn
) -> None:
    client, url = client_of(owner), reverse("workloads:logs", args=[sealed.pk])
    assert "kept until" in client.get(url).content.decode()
    retention.expire(held)
    for page in (url, reverse("workloads:detail", args=[sealed.pk])):
        html = client.get(page).content.decode()
        assert "The log has been removed" in html
        assert "log-viewer" not in html
    told = client.get(reverse("workloads:log-lines", args=[sealed.pk]), {"after": 0}).json()
    assert told == {"lines": [], "last": 0, "sealed": True}
    assert b"".join(client.get(reverse("workloads:log-download", args=[sealed.pk]))) == b""


def test_rest_tells_both_times_and_its_reader_comes_to_an_end(
    sealed: Workload, held: Held, owner: User, client_of: SignedIn
) -> None:
    client, url = client_of(owner), f"/api/v1/workloads/{sealed.pk}/"
    assert sealed.ended_at is not None
    log = client.get(url).json()["log"]
    assert datetime.fromisoformat(log["kept_until"]) - sealed.ended_at == timedelta(days=30)
    retention.expire(held)
    log = client.get(url).json()["log"]
    assert (log["kept_until"], log["last_seq"]) == (None, 0)
    assert log["expired_at"]
    page = client.get(f"{url}logs/").json()
    assert (page["lines"], page["next"]) == ([], None)


@pytest.mark.django_db(transaction=True)
async def test_the_collector_removes_by_itself_what_is_due(logged: LoggedWorkload, chunk_directory: Path) -> None:
    await logged.write(1, 2)
    await logged.end()
    async with collecting(logged.logs, chunk_directory):
        await eventually(logged.is_sealed)
    assert files(chunk_directory) == 1
    await in_thread(Workload.objects.filter(pk=logged.workload.pk).update, **ended(31))
    async with collecting(logged.logs, chunk_directory):

        async def is_gone() -> bool:
            return files(chunk_directory) == 0 and not await in_thread(LogChunk.objects.exists)

        await eventually(is_gone)
