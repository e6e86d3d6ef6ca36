"""The quotas of all tenants by REST: the list page by page, its file, and changes of many lines with a dry run."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Cohort, QuotaLine, Tenant
from tests.app.api.test_people import send
from tests.app.web.test_quotas import body as body_of
from tests.app.web.test_quotas import fill
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def line(tenant: str = "vision", key: str = "gpus", **bounds: Any) -> dict[str, Any]:
    return {"tenant": tenant, "type": key, **bounds}


def gpus() -> dict[str, int]:
    return dict(QuotaLine.objects.filter(type__key="gpus").values_list("tenant__slug", "nominal"))


def test_the_list_goes_on_page_by_page_and_is_narrowed(
    admin: Client,
    cohort: Cohort,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    rows, url = [], "/api/v1/quotas/?limit=3"
    while url:
        page = admin.get(url).json()
        rows += page["results"]
        url = page["next"]
    assert [(row["tenant"], row["type"]) for row in rows] == [
        (slug, key) for slug in ("speech", "vision") for key in ("cpu_millicores", "memory_mib", "gpus", "pods")
    ]
    assert admin.get("/api/v1/quotas/?type=gpus&q=vis&cohort=research").json()["results"] == [
        {
            **line(nominal=4, borrow_limit=0, lend_limit=0),
            "cohort": "research",
            "used": 3,
            "borrowed": 0,
            "lent": 0,
            "overhang": 0,
        }
    ]


def test_a_dry_run_tells_and_the_change_with_its_version_does_it(admin: Client, cohort: Cohort) -> None:
    changes = [line(nominal=6, lend_limit=2), line("speech", "pods", nominal=9)]
    told = send(admin, "post", "quotas/", {"changes": changes, "dry_run": True}).json()
    assert told["applied"] is False
    assert told["lines"][0] == {
        **line(used=0, kept=0, kept_in_cohort=0),
        "before": {"nominal": 4, "borrow_limit": 0, "lend_limit": 0},
        "after": {"nominal": 6, "borrow_limit": 0, "lend_limit": 2},
    }
    assert told["pools"] == [{"cohort": "research", "type": "gpus", "before": 0, "after": 2, "used": 0}]
    assert (told["would_start"], told["would_never_fit"]) == (0, 0)
    assert gpus()["vision"] == 4
    done = send(admin, "post", "quotas/", {"changes": changes, "version": told["version"]})
    assert (done.status_code, done.json()["applied"], gpus()["vision"]) == (200, True, 6)
    again = send(admin, "post", "quotas/", {"changes": changes, "version": told["version"]})
    assert again.status_code == 409


def test_below_what_is_held_the_choice_must_be_said(
    admin: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    body = {"changes": [line(key="pods", nominal=9), line(nominal=1)]}
    refused = send(admin, "post", "quotas/", body)
    assert (refused.status_code, [error["attr"] for error in refused.json()["errors"]]) == (400, ["changes.1.excess"])
    told = send(admin, "post", "quotas/", {**body, "dry_run": True}).json()
    assert [(found["tenant"], found["name"], found["owner"]) for found in told["stops"]] == [
        ("vision", "hello", "owner")
    ]
    assert send(admin, "post", "quotas/", {**body, "excess": "all"}).status_code == 400
    kept = send(admin, "post", "quotas/", {**body, "excess": "keep"}).json()
    assert ([found["kept"] for found in kept["lines"]], kept["stops"]) == ([0, 2], [])
    drained = send(admin, "post", "quotas/", {"changes": [line(nominal=0)], "excess": "drain"}).json()
    assert [found["id"] for found in drained["stops"]] == [found["id"] for found in told["stops"]]
    assert Workload.objects.get().state == "queued"


@pytest.mark.parametrize(
    ("bad", "attr"),
    [
        (line(nominal=-1), "changes.1.nominal"),
        (line(nominal=1.5), "changes.1.nominal"),
        (line(nominal=2**70), "changes.1.nominal"),
        (line(nominal=100_001), "changes.1.nominal"),
        (line(nominal=4, lend_limit=5), "changes.1.lend_limit"),
        (line(key="warp_cores", nominal=1), "changes.1.type"),
        (line("nobody", nominal=1), "changes.1.tenant"),
        (line(nominal=1, colour=1), "changes.1.colour"),
        (line("speech", "pods", nominal=1), "changes.1"),
        ({"type": "gpus"}, "changes.1.tenant"),
    ],
)
def test_one_bad_line_is_told_at_its_place_and_stops_all(
    admin: Client, cohort: Cohort, bad: dict[str, Any], attr: str
) -> None:
    body = {"changes": [line("speech", "pods", nominal=9), bad]}
    for dry_run in (True, False):
        refused = send(admin, "post", "quotas/", {**body, "dry_run": dry_run})
        attrs = [error["attr"] for error in refused.json()["errors"]]
        assert (refused.status_code, attrs) == (400, [attr])
    assert QuotaLine.objects.get(tenant__slug="speech", type__key="pods").nominal == 50


@pytest.mark.parametrize("body", [{}, {"changes": 1}, {"changes": [1]}, {"changes": None}, {"changes": [], "x": 1}])
def test_a_body_of_another_shape_is_refused(admin: Client, body: dict[str, Any]) -> None:
    assert send(admin, "post", "quotas/", body).status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "cursor=WzFd", "cursor=WyJhIiwgMWU5OSwgImIiXQ", "colour=1"])
def test_a_query_that_makes_no_sense_is_refused(admin: Client, query: str) -> None:
    assert admin.get(f"/api/v1/quotas/?{query}").status_code == 400


def test_all_quotas_are_the_platform_s(
    client_of: ClientOf, tenant: Tenant, tenant_admin: User, auditor: User, admin: Client
) -> None:
    body = {"changes": [line(nominal=9)]}
    assert client_of(tenant_admin).get("/api/v1/quotas/").status_code == 403
    assert client_of(tenant_admin).get("/api/v1/quotas/csv/").status_code == 403
    assert client_of(auditor).get("/api/v1/quotas/").status_code == 200
    for who in (tenant_admin, auditor):
        for dry_run in (True, False):
            assert send(client_of(who), "post", "quotas/", {**body, "dry_run": dry_run}).status_code == 403
    assert gpus() == {"vision": 4}


def test_the_file_is_the_page_s(admin: Client, cohort: Cohort) -> None:
    answer = admin.get("/api/v1/quotas/csv/?type=gpus")
    rows = list(csv.DictReader(io.StringIO(body_of(answer))))
    assert [(row["tenant"], row["type"], row["nominal"]) for row in rows] == [
        ("speech", "gpus", "4"),
        ("vision", "gpus", "4"),
    ]


def test_the_list_costs_six_statements_at_a_thousand_tenants_and_twenty_types(admin: Client) -> None:
    fill(1_000, 20)
    with CaptureQueriesContext(connection) as seen:
        assert len(admin.get("/api/v1/quotas/?limit=200").json()["results"]) == 200
    assert len(seen) <= 6
