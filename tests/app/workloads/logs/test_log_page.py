"""The log page and what it reads: as many statements for thousands of batches as for two."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from portal.core.models import User
from portal.live.payloads import GAP, LINE, Line
from workloads.logs import read
from workloads.logs.codec import encode_lines
from workloads.models import LogTail, Pod, Workload

pytestmark = pytest.mark.django_db
SignedIn = Callable[[User], Client]


def batches(workload: Workload, count: int, *, text: str = "text") -> None:
    """Store `count` lines, each in a batch of its own."""
    LogTail.objects.bulk_create(
        LogTail(
            workload=workload,
            first_seq=seq,
            last_seq=seq,
            payload=encode_lines([Line(seq, 1_000_000_000 * seq, 1, "r0", "main", f"{text} {seq}", LINE)]),
        )
        for seq in range(1, count + 1)
    )
    Workload.objects.filter(pk=workload.pk).update(log_last_seq=count)


@pytest.mark.parametrize("count", [2, 3000])
def test_the_page_takes_eight_statements_at_most_for_any_number_of_batches(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn, count: int
) -> None:
    workload, _ = running
    batches(workload, count)
    client = client_of(owner)
    with CaptureQueriesContext(connection) as seen:
        html = client.get(reverse("workloads:logs", args=[workload.pk])).content.decode()
    assert f'id="L{count}"' in html
    assert len(seen) <= 8, "\n".join(query["sql"][:200] for query in seen)


@pytest.mark.parametrize("count", [2, 3000])
def test_a_page_of_lines_is_read_in_two_statements(running: tuple[Workload, Pod], count: int) -> None:
    workload, _ = running
    batches(workload, count)
    with CaptureQueriesContext(connection) as seen:
        last = read.lines_before(workload.pk, count + 1, 200)
        first = read.lines_after(workload.pk, 0, 200)
    assert (len(last), len(first), len(seen)) == (min(200, count), min(200, count), 4)


def test_a_read_of_long_lines_stops_before_it_holds_too_much(running: tuple[Workload, Pod]) -> None:
    workload, _ = running
    batches(workload, 400, text="w" * 65_000)
    after = read.lines_after(workload.pk, 0, 400)
    before = read.lines_before(workload.pk, 401, 400)
    assert [line.seq for line in after] == list(range(1, len(after) + 1))
    assert [line.seq for line in before] == list(range(401 - len(before), 401))
    assert 0 < len(after) < 100
    assert 0 < len(before) < 100


def test_numbers_beyond_the_end_show_the_end(running: tuple[Workload, Pod]) -> None:
    workload, _ = running
    batches(workload, 5)
    assert [line.seq for line in read.lines_before(workload.pk, 999_999, 2)] == [4, 5]


def attempts_log(workload: Workload, *, each: int = 300) -> None:
    """Store the logs of two attempts; each tenth line speaks of a checkpoint."""
    lines = [
        Line(seq, seq, 1 + (seq > each), "r0", "main", f"Checkpoint {seq}" if seq % 10 == 0 else f"step {seq}", LINE)
        for seq in range(1, 2 * each + 1)
    ]
    LogTail.objects.create(workload=workload, first_seq=1, last_seq=2 * each, payload=encode_lines(lines))
    Workload.objects.filter(pk=workload.pk).update(log_last_seq=2 * each)


def shown(client: Client, workload: Workload, query: str) -> list[int]:
    page = client.get(reverse("workloads:logs", args=[workload.pk]) + query).content.decode()
    return [int(seq) for seq in re.findall(r'id="L(\d+)"', page)]


@pytest.mark.parametrize(
    ("query", "first", "last", "count"),
    [
        ("", 401, 600, 200),
        ("?attempt=1", 101, 300, 200),
        ("?attempt=1&before=101", 1, 100, 100),
        ("?q=checkpoint", 10, 600, 60),
        ("?q=checkpoint&attempt=2", 310, 600, 30),
        ("?pod=r1", 0, 0, 0),
        ("?q=STEP%201&attempt=1&after=0", 1, 199, 100),
        ("?attempt=9", 0, 0, 0),
        ("?attempt=x&pod=", 401, 600, 200),
    ],
)
def test_a_log_is_narrowed_to_an_attempt_a_pod_or_a_text(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn, query: str, first: int, last: int, count: int
) -> None:
    workload, _ = running
    attempts_log(workload)
    seqs = shown(client_of(owner), workload, query)
    assert len(seqs) == count
    assert (min(seqs, default=0), max(seqs, default=0)) == (first, last)


def test_the_links_of_a_narrowed_page_lead_to_its_other_lines(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn
) -> None:
    workload, _ = running
    attempts_log(workload)
    client, seen, query = client_of(owner), [], "?attempt=1"
    while query:
        seen += shown(client, workload, query)
        query = client.get(reverse("workloads:logs", args=[workload.pk]) + query).context["earlier_url"]
    assert sorted(seen) == list(range(1, 301))


def test_the_viewer_goes_on_where_the_drawn_lines_end(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn
) -> None:
    workload, _ = running
    attempts_log(workload)
    client, path = client_of(owner), reverse("workloads:logs", args=[workload.pk])
    for query, last in (("", 600), ("?before=101", 100), ("?after=100", 300), ("?attempt=1", 600), ("?before=1", 0)):
        assert client.get(path + query).context["last_seq"] == last, query


def test_a_log_that_is_closed_says_so_without_scripts(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn
) -> None:
    workload, _ = running
    client, path = client_of(owner), reverse("workloads:logs", args=[workload.pk])
    assert "Complete: the log is closed</span></noscript>" not in client.get(path).content.decode()
    Workload.objects.filter(pk=workload.pk).update(log_sealed=True)
    page = client.get(path).content.decode()
    assert "Complete: the log is closed</span></noscript>" in page
    assert "ended without writing a line" in page


def test_a_download_tells_gap_markers_as_sentences(
    running: tuple[Workload, Pod], owner: User, client_of: SignedIn
) -> None:
    workload, _ = running
    marker = '{"code":"gone","from":1767225600200}'
    lines = [Line(1, 1, 1, "r0", "main", "one", LINE), Line(2, 2, 1, "r0", "main", marker, GAP)]
    LogTail.objects.create(workload=workload, first_seq=1, last_seq=2, payload=encode_lines(lines))
    answer: Any = client_of(owner).get(reverse("workloads:log-download", args=[workload.pk]))
    assert b"".join(answer.streaming_content).decode() == (
        "one\n"
        "Lines after 2026-01-01T00:00:00.200+00:00 may be missing: "
        "the pod was gone before its log was read to its end.\n"
    )
