"""The list's other means by REST: order, CSV, one act on several workloads, saved filters."""

import csv
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.core.models import User
from tenants.models import Tenant
from workloads.models import SavedFilter, Workload

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]
MAKE = Callable[..., Workload]


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    call = getattr(client, method)
    return call(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def ended(make: MAKE, tenant: Tenant, owner: User, **fields: Any) -> Workload:
    return make(tenant, owner, state="succeeded", ended_at=timezone.now(), **fields)


def test_a_list_can_begin_with_the_oldest_and_leave_out_what_has_ended(
    make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    for n in range(5):
        make_workload(tenant, owner, name=f"job-{n}")
    ended(make_workload, tenant, owner, name="old")
    client, names, url = client_of(owner), [], "/api/v1/workloads/?order=oldest&active=true&limit=2"
    while url:
        page = client.get(url).json()
        names += [row["name"] for row in page["results"]]
        url = page["next"]
    assert names == [f"job-{n}" for n in range(5)]


def test_a_list_is_read_as_csv_with_every_column_and_nothing_of_others(
    make_workload: MAKE, tenant: Tenant, other_tenant: Tenant, owner: User, outsider: User, client_of: CLIENT
) -> None:
    make_workload(tenant, owner, name="job-a")
    make_workload(tenant, owner, name="job-b", state="running")
    make_workload(other_tenant, outsider, name="foreign")
    response = client_of(owner).get("/api/v1/workloads/csv/?order=oldest")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert [row["Name"] for row in rows] == ["job-a", "job-b"]
    assert {"Id", "Memory MiB", "Started", "Tenant", "Attempts"} <= rows[0].keys()
    narrowed = client_of(owner).get("/api/v1/workloads/csv/?state=running").getvalue().decode("utf-8-sig")
    assert [row["Name"] for row in csv.DictReader(io.StringIO(narrowed))] == ["job-b"]
    assert client_of(owner).get("/api/v1/workloads/csv/?limit=5").status_code == 400


def test_each_of_several_workloads_has_its_own_outcome(
    make_workload: MAKE, tenant: Tenant, owner: User, colleague: User, client_of: CLIENT
) -> None:
    own, over = make_workload(tenant, owner), ended(make_workload, tenant, owner)
    others = make_workload(tenant, colleague)
    body = {"act": "cancel", "ids": [str(row.pk) for row in (own, over, others)]}
    results = send(client_of(owner), "post", "workloads/bulk/", body).json()["results"]
    assert [(row["id"], row["done"]) for row in results] == [
        (str(own.pk), True),
        (str(over.pk), False),
        (str(others.pk), False),
    ]
    assert Workload.objects.get(pk=own.pk).state == "cancelled"
    assert Workload.objects.get(pk=others.pk).state == "queued"


def test_several_clones_are_made_once_for_one_key(
    make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    sources = [make_workload(tenant, owner, name=f"job-{n}") for n in range(2)]
    body = {"act": "clone", "ids": [str(source.pk) for source in sources]}
    first, again = (
        send(client_of(owner), "post", "workloads/bulk/", body, **{"Idempotency-Key": "k" * 200}).json()["results"]
        for _ in range(2)
    )
    assert [row["made"] for row in first] == [row["made"] for row in again]
    assert list(Workload.objects.filter(parent__isnull=False).order_by("created").values_list("parent", flat=True)) == [
        source.pk for source in sources
    ]


def test_what_has_ended_is_hidden_and_what_has_not_is_left(
    make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    over, live = ended(make_workload, tenant, owner), make_workload(tenant, owner)
    body = {"act": "hide", "ids": [str(over.pk), str(live.pk)]}
    results = send(client_of(owner), "post", "workloads/bulk/", body).json()["results"]
    assert [row["done"] for row in results] == [True, False]
    assert [row["id"] for row in client_of(owner).get("/api/v1/workloads/").json()["results"]] == [str(live.pk)]


@pytest.mark.parametrize("act", ["cancel", "clone", "hide"])
def test_a_foreign_workload_among_several_looks_like_a_missing_one(
    act: str, make_workload: MAKE, tenant: Tenant, owner: User, outsider: User, client_of: CLIENT
) -> None:
    foreign, missing = ended(make_workload, tenant, owner).pk, uuid.uuid4()
    bodies = [
        send(client_of(outsider), "post", "workloads/bulk/", {"act": act, "ids": [str(each)]})
        .content.decode()
        .replace(str(each), "")
        for each in (foreign, missing)
    ]
    assert bodies[0] == bodies[1]
    assert '"done":false' in bodies[0]
    assert not Workload.objects.get(pk=foreign).hidden


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"act": "cancel", "ids": []}, "ids"),
        ({"act": "cancel", "ids": [str(uuid.UUID(int=n)) for n in range(101)]}, "ids"),
        ({"act": "cancel", "ids": ["x"]}, "ids.0"),
        ({"act": "explode", "ids": [str(uuid.UUID(int=1))]}, "act"),
    ],
)
def test_an_act_that_means_nothing_is_refused(owner: User, client_of: CLIENT, body: Any, attr: str) -> None:
    response = send(client_of(owner), "post", "workloads/bulk/", body)
    assert (response.status_code, {error["attr"] for error in response.json()["errors"]}) == (400, {attr})


def test_a_filter_is_kept_renamed_opened_with_and_forgotten(owner: User, client_of: CLIENT) -> None:
    client = client_of(owner)
    made = send(client, "post", "saved-filters/", {"name": "Failed", "query": "?view=all&state=failed"})
    assert made.status_code == 201
    kept = made.json()
    assert (kept["query"], kept["default"]) == ("view=all&state=failed", False)
    path = f"saved-filters/{kept['id']}/"
    assert client.get(f"/api/v1/{path}").json() == kept
    changed = send(client, "patch", path, {"name": "Red", "default": True}).json()
    assert (changed["name"], changed["default"]) == ("Red", True)
    assert client.get("/workloads/").headers["Location"] == "/workloads/?view=all&state=failed"
    assert send(client, "post", "saved-filters/", {"name": "red", "query": ""}).status_code == 400
    assert send(client, "delete", path).status_code == 204
    assert client.get("/api/v1/saved-filters/").json() == {"results": []}


@pytest.mark.parametrize("query", ["state=odd", "sate=failed", "view=all&until=tomorrow"])
def test_a_filter_of_which_the_list_would_ignore_a_part_is_not_kept(owner: User, client_of: CLIENT, query: str) -> None:
    response = send(client_of(owner), "post", "saved-filters/", {"name": "n", "query": query})
    assert (response.status_code, {error["attr"] for error in response.json()["errors"]}) == (400, {"query"})


def test_a_filter_of_somebody_else_answers_as_a_missing_one(owner: User, colleague: User, client_of: CLIENT) -> None:
    kept = SavedFilter.objects.create(user=owner, name="mine", query="view=mine")
    for method, body in [("get", None), ("patch", {"name": "x"}), ("delete", None)]:
        foreign, missing = (
            send(client_of(colleague), method, f"saved-filters/{each}/", body) for each in (kept.pk, uuid.uuid4())
        )
        assert (foreign.status_code, foreign.content) == (404, missing.content), method


def test_reading_filters_and_csv_takes_few_statements(
    make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    client, counts = client_of(owner), []
    for rows in (1, 60):
        for _ in range(rows):
            make_workload(tenant, owner)
        with CaptureQueriesContext(connection) as queries:
            client.get("/api/v1/workloads/csv/").getvalue()
            client.get("/api/v1/saved-filters/")
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8
