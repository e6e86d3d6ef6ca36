"""The list of workloads: filters, what is kept of them, columns, the file, acts on several rows, searches."""

import csv
import datetime as dt
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.core import downloads
from portal.core.errors import NotVisible, Rejected
from portal.core.models import User
from tenants.models import Tenant
from workloads import bulk, columns, savedfilters, selectors
from workloads.models import SavedFilter, Workload
from workloads.selectors import Filters

pytestmark = pytest.mark.django_db
Make = Callable[..., Workload]


@pytest.fixture
def session(client_of: Callable[[User], Client], owner: User) -> Client:
    return client_of(owner)


def names(client: Client, query: str) -> list[str]:
    return [row.item.name for row in client.get(f"/workloads/?view=all&{query}").context["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("owner=COLLEAGUE", {"theirs"}),
        ("kind=job", {"new", "old", "theirs"}),
        ("within=1d", {"new", "theirs"}),
        ("until=2026-01-02", {"old"}),
        ("since=2026-01-02&until=2026-01-01", set()),
        ("since=nonsense&until=0001-01-01&owner=%00", {"new", "old", "theirs"}),
    ],
)
def test_kind_owner_and_dates_narrow_the_list(
    query: str, expected: set[str], session: Client, make_workload: Make, tenant: Tenant, owner: User, colleague: User
) -> None:
    make_workload(tenant, owner, name="new")
    old = make_workload(tenant, owner, name="old")
    Workload.objects.filter(pk=old.pk).update(created=dt.datetime(2026, 1, 2, 23, tzinfo=dt.UTC))
    make_workload(tenant, colleague, name="theirs")
    assert set(names(session, query)) == expected


def test_the_oldest_come_first_when_asked_and_pages_lead_on_and_back(
    session: Client, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    for n in range(120):
        make_workload(tenant, owner, name=f"n{n:03}")
    seen, query = [], "?view=all&order=oldest"
    while query:
        page = session.get(f"/workloads/{query}")
        seen.append([row.item.name for row in page.context["rows"]])
        query = page.context["older_url"]
    assert [name for rows in seen for name in rows] == [f"n{n:03}" for n in range(120)]
    back = session.get(f"/workloads/{page.context['newer_url']}")
    assert [row.item.name for row in back.context["rows"]] == seen[-2]


def test_a_search_reads_a_bounded_stretch_and_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    monkeypatch.setattr(selectors, "SEARCH_STRETCH", 10)
    for n in range(35):
        make_workload(tenant, owner, name="wanted" if n == 0 else f"n{n}")
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = selectors.workload_list(user=owner, filters=Filters(text="wanted"), cursor=cursor)
        found += [row.name for row in page.rows]
        cursor, pages = page.older, pages + 1
    assert (found, pages) == (["wanted"], 4)


def test_an_id_is_found_however_old(
    monkeypatch: pytest.MonkeyPatch, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    monkeypatch.setattr(selectors, "SEARCH_STRETCH", 1)
    oldest = make_workload(tenant, owner, kube_name="w-abcdefgh23")
    for _n in range(5):
        make_workload(tenant, owner)
    for text in (str(oldest.pk), oldest.kube_name):
        page = selectors.workload_list(user=owner, filters=Filters(text=text))
        assert [row.pk for row in page.rows] == [oldest.pk]


def test_a_kept_filter_stands_above_the_list_and_opens_it_once_it_is_the_default(session: Client, owner: User) -> None:
    answer = session.post("/workloads/filters/", {"name": " Failed  ones ", "query": "?view=mine&state=failed&after=x"})
    kept = SavedFilter.objects.get(user=owner)
    assert (kept.name, kept.query) == ("Failed ones", "view=mine&state=failed")
    assert answer.headers["Location"] == "/workloads/?view=mine&state=failed"
    assert "Failed ones" in session.get("/workloads/?view=all").content.decode()
    session.post(f"/workloads/filters/{kept.pk}/", {"act": "default"})
    assert session.get("/workloads/").headers["Location"] == "/workloads/?view=mine&state=failed"
    assert session.get("/workloads/?view=mine-active").status_code == 200


@pytest.mark.parametrize("name", ["", "x" * 41, "MINE"])
def test_a_name_that_cannot_be_kept_is_refused_with_the_reason(session: Client, owner: User, name: str) -> None:
    savedfilters.filter_save(actor=owner, name="mine", query="view=mine")
    answer = session.post("/workloads/filters/", {"name": name, "query": "view=all"})
    assert answer.status_code == 400
    assert SavedFilter.objects.count() == 1


def test_nobody_touches_the_filter_of_another(owner: User, colleague: User, client_of: Any) -> None:
    kept = savedfilters.filter_save(actor=owner, name="mine", query="view=mine")
    other = client_of(colleague)
    assert other.post(f"/workloads/filters/{kept.pk}/", {"act": "delete"}).status_code == 404
    with pytest.raises(NotVisible):
        savedfilters.filter_rename(actor=colleague, kept=kept, name="theirs")


def test_a_filter_is_renamed_and_deleted(session: Client, owner: User) -> None:
    kept = savedfilters.filter_save(actor=owner, name="mine", query="view=mine")
    session.post(f"/workloads/filters/{kept.pk}/", {"act": "rename", "name": "ours"})
    assert SavedFilter.objects.get().name == "ours"
    session.post(f"/workloads/filters/{kept.pk}/", {"act": "delete"})
    assert not SavedFilter.objects.exists()


def test_chosen_columns_stay_chosen_for_the_list_and_its_live_rows(
    session: Client, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    row = make_workload(tenant, owner)
    session.post("/workloads/columns/", {"column": ["image", "nonsense"], "query": "view=all"})
    for path in ("/workloads/?view=all", f"/workloads/rows/?ids={row.pk}"):
        page = session.get(path).content.decode()
        assert row.spec["image"] in page
        assert 'class="c-age' not in page


def test_the_file_holds_every_row_of_the_list_and_no_formula(
    session: Client, make_workload: Make, tenant: Tenant, owner: User, colleague: User
) -> None:
    User.objects.filter(pk=owner.pk).update(username="=owner")
    for n in range(3):
        make_workload(tenant, owner, name=f"n{n}")
    make_workload(tenant, colleague, name="theirs")
    answer = session.get("/workloads/export.csv?view=mine")
    text = b"".join(answer).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Name"] for row in rows] == ["n2", "n1", "n0"]
    assert {row["Owner"] for row in rows} == {"'=owner"}


@pytest.mark.parametrize("start", downloads.FORMULA_STARTS)
def test_a_cell_that_a_spreadsheet_would_compute_is_text(start: str) -> None:
    column = columns.Column("x", "x", "x", lambda _row: f"{start}1")
    assert columns.csv_cells([column], None) == [f"'{start}1"]  # type: ignore[arg-type]


def test_cancelling_several_tells_of_each_and_stops_at_none(
    session: Client, make_workload: Make, tenant: Tenant, other_tenant: Tenant, owner: User, colleague: User
) -> None:
    mine, theirs = make_workload(tenant, owner), make_workload(tenant, colleague)
    over = make_workload(tenant, owner, state="failed", ended_at=timezone.now())
    foreign = make_workload(other_tenant, colleague)
    ids = [str(row.pk) for row in (foreign, over, theirs, mine)]
    page = session.post("/workloads/bulk/", {"act": "cancel", "ids": ids})
    assert [outcome.done for outcome in page.context["outcomes"]] == [False, False, False, True]
    assert set(Workload.objects.filter(state="cancelled")) == {mine}
    assert foreign.name not in [o.workload.name for o in page.context["outcomes"] if o.workload and o.id == foreign.pk]


def test_cloning_several_twice_with_one_key_makes_each_once(
    session: Client, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    rows = [make_workload(tenant, owner, name=f"n{n}") for n in range(3)]
    form = {"act": "clone", "ids": [str(row.pk) for row in rows], "idempotency_key": str(uuid.uuid4())}
    for _again in range(2):
        assert session.post("/workloads/bulk/", form).context["done"] == 3
    assert Workload.objects.filter(parent__in=rows).count() == 3


def test_the_question_before_an_act_says_what_happens_to_each_row(
    session: Client, make_workload: Make, tenant: Tenant, owner: User, colleague: User
) -> None:
    mine, theirs = make_workload(tenant, owner), make_workload(tenant, colleague)
    page = session.get(f"/workloads/bulk/?act=cancel&ids={mine.pk}&ids={theirs.pk}")
    assert [bool(obstacle) for _row, obstacle in page.context["rows"]] == [False, True]
    assert f'name="ids" value="{theirs.pk}"' not in page.content.decode()
    assert mine.state == "queued"


def test_none_and_more_than_a_hundred_are_refused(owner: User, session: Client) -> None:
    for ids in ([], [uuid.uuid4() for _n in range(101)]):
        with pytest.raises(Rejected):
            bulk.bulk_cancel(actor=owner, ids=ids)
    assert session.get("/workloads/bulk/?act=cancel").status_code == 400
    assert session.get("/workloads/bulk/?act=burn").status_code == 400


def test_a_list_reads_no_spec(session: Client, make_workload: Make, tenant: Tenant, owner: User) -> None:
    make_workload(tenant, owner, spec={"script": "x" * 200_000})
    with CaptureQueriesContext(connection) as seen:
        session.get("/workloads/?view=all")
    assert not [query["sql"] for query in seen if '"workloads_workload"."spec"' in query["sql"]]
