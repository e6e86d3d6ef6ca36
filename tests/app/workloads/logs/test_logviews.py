"""Stored lines over HTTP: paged by number, whole as a file, and nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import reverse

from portal.core.models import User
from portal.live.payloads import CONTINUATION, LINE, Line
from workloads.logs import chunks, ownership, read
from workloads.logs.chunkstore import chunk_store
from workloads.logs.codec import encode_lines
from workloads.models import LogTail, Pod, Workload

pytestmark = pytest.mark.django_db(transaction=True)
SignedIn = Callable[[User], Client]


def tail(workload: Workload, first: int, last: int, *, kinds: dict[int, int] | None = None) -> None:
    lines = [
        Line(seq, 1_000_000_000 * seq, 1, "r0", "main", f"text {seq}", (kinds or {}).get(seq, LINE))
        for seq in range(first, last + 1)
    ]
    LogTail.objects.create(workload=workload, first_seq=first, last_seq=last, payload=encode_lines(lines))
    Workload.objects.filter(pk=workload.pk).update(log_last_seq=last)


def into_chunks(workload: Workload) -> None:
    held = ownership.take_lease()
    assert held is not None
    ownership.claim(held)
    mine = ownership.owned(held)[workload.pk]
    assert chunks.roll(held, chunk_store(), workload_id=workload.pk, epoch=mine.epoch) == 1
    ownership.drop_lease(held)


@pytest.fixture
def stored(running: tuple[Workload, Pod]) -> Workload:
    """Lines 1-100 in a chunk, 101-150 in two batches of the tail."""
    workload, _ = running
    for first in (1, 51):
        tail(workload, first, first + 49)
    into_chunks(workload)
    tail(workload, 101, 120)
    tail(workload, 121, 150)
    return workload


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("after=0&limit=5", 1, 5),
        ("after=98&limit=5", 99, 103),
        ("after=148", 149, 150),
        ("after=9&before=15&limit=100", 10, 14),
        ("before=102&limit=4", 98, 101),
        ("before=3&limit=10", 1, 2),
        ("around=100&limit=6", 97, 102),
        ("limit=3", 148, 150),
    ],
)
def test_lines_are_found_on_both_sides_of_a_chunk(
    stored: Workload, owner: User, client_of: SignedIn, query: str, first: int, last: int
) -> None:
    answer = client_of(owner).get(f"{reverse('workloads:log-lines', args=[stored.pk])}?{query}").json()
    assert [line[0] for line in answer["lines"]] == list(range(first, last + 1))
    assert answer["lines"][0] == [first, first * 1000, 1, "r0", "main", f"text {first}", LINE]
    assert (answer["last"], answer["sealed"]) == (150, False)


def test_numbers_beyond_the_log_find_nothing(stored: Workload, owner: User, client_of: SignedIn) -> None:
    answer = client_of(owner).get(f"{reverse('workloads:log-lines', args=[stored.pk])}?after=150").json()
    assert answer["lines"] == []


@pytest.mark.parametrize("name", ["after", "before", "around", "limit"])
def test_a_number_that_is_none_is_refused(stored: Workload, owner: User, client_of: SignedIn, name: str) -> None:
    answer = client_of(owner).get(f"{reverse('workloads:log-lines', args=[stored.pk])}?{name}=-1")
    assert answer.status_code == 400


def test_the_download_is_the_whole_text(stored: Workload, owner: User, client_of: SignedIn) -> None:
    answer: Any = client_of(owner).get(reverse("workloads:log-download", args=[stored.pk]))
    text = b"".join(answer.streaming_content).decode()
    assert text == "".join(f"text {seq}\n" for seq in range(1, 151))
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == f'attachment; filename="hello-{str(stored.pk)[:8]}.log"'


async def test_the_download_streams_on_an_asgi_server_too(stored: Workload, owner: User) -> None:
    client = AsyncClient()
    await client.aforce_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer: Any = await client.get(reverse("workloads:log-download", args=[stored.pk]))
    text = b"".join([part async for part in answer.streaming_content]).decode()
    await sync_to_async(connections.close_all)()  # the test client leaves the views' thread connected
    assert text == "".join(f"text {seq}\n" for seq in range(1, 151))


def test_a_split_line_is_whole_again_in_the_download(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn
) -> None:
    workload, _ = running
    tail(workload, 1, 3, kinds={2: CONTINUATION})
    answer: Any = client_of(owner).get(reverse("workloads:log-download", args=[workload.pk]))
    assert b"".join(answer.streaming_content) == b"text 1text 2\ntext 3\n"


@pytest.mark.parametrize("name", ["workloads:log-lines", "workloads:log-download"])
def test_an_outsider_gets_what_a_missing_id_gets(
    stored: Workload, outsider: User, client_of: SignedIn, name: str
) -> None:
    client = client_of(outsider)
    foreign = client.get(reverse(name, args=[stored.pk]))
    missing = client.get(reverse(name, args=["00000000-0000-4000-8000-000000000000"]))
    assert (foreign.status_code, missing.status_code) == (404, 404)


def test_a_line_is_found_while_its_batch_moves_into_a_chunk(
    running: tuple[Workload, Pod], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload, _ = running
    tail(workload, 1, 10)
    listing, moves = read._pieces, iter([True])

    def moving(*args: Any) -> Any:
        found = listing(*args)
        if next(moves, False):
            into_chunks(workload)
        return found

    monkeypatch.setattr(read, "_pieces", moving)
    assert [line.seq for line in read.lines_after(workload.pk, 0, 100)] == list(range(1, 11))


def test_a_resume_reads_on_while_the_tail_is_moved_again_and_again(
    running: tuple[Workload, Pod], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload, _ = running
    tail(workload, 1, 10)
    listing, moves = read._pieces, iter(range(6))

    def moving(*args: Any) -> Any:
        found = listing(*args)
        if (move := next(moves, None)) is not None:
            into_chunks(workload)
            tail(workload, 11 + move, 11 + move)
        return found

    monkeypatch.setattr(read, "_pieces", moving)
    assert [line.seq for line in read.lines_since(workload.pk, 0)] == list(range(1, 17))
