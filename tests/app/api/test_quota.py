"""Quotas by REST: what is shown, set and refused, and by whom."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Cohort, Tenant
from tests.app.api.test_people import send
from tests.quota import limits_of
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def line(answer: Any, key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in answer.json()["lines"] if row["type"] == key)
    return found


def test_cohorts_lending_and_borrowing_are_set_and_shown(
    admin: Client,
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    client_of: ClientOf,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    first, again = (send(admin, "post", "cohorts/", {"name": "research"}, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again["Idempotency-Replayed"]) == (201, "true")
    cohort = first.json()
    for slug in ("vision", "speech"):
        assert send(admin, "put", f"tenants/{slug}/cohort/", {"cohort": cohort["id"]}).status_code == 200
    lends = [{"type": "gpus", "nominal": 4, "lend_limit": 3}]
    assert send(admin, "put", "tenants/speech/quota/", {"lines": lends}).status_code == 200
    send(admin, "put", "tenants/vision/quota/", {"lines": [{"type": "gpus", "nominal": 4, "borrow_limit": 2}]})
    admit(make_workload(tenant, owner, gpus=5))
    shown = client_of(owner).get("/api/v1/tenants/vision/quota/")
    assert shown.json()["cohort"] == cohort
    assert line(shown, "gpus") == {
        "type": "gpus",
        "nominal": 4,
        "borrow_limit": 2,
        "lend_limit": 0,
        "used": 5,
        "borrowed": 1,
        "overhang": 0,
        "free": 1,
    }
    assert [found["name"] for found in admin.get("/api/v1/cohorts/").json()["results"]] == ["research"]
    assert send(admin, "delete", f"cohorts/{cohort['id']}/").status_code == 409


def test_a_quota_below_what_is_held_is_refused_at_its_type_unless_it_is_to_be_kept(
    admin: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    body = {"lines": [{"type": "gpus", "nominal": 1}]}
    refused = send(admin, "put", "tenants/vision/quota/", body)
    assert (refused.status_code, [error["attr"] for error in refused.json()["errors"]]) == (400, ["gpus", "excess"])
    kept = send(admin, "put", "tenants/vision/quota/", {**body, "excess": "keep"})
    assert (line(kept, "gpus")["overhang"], line(kept, "gpus")["free"]) == (2, 0)


@pytest.mark.parametrize(
    ("lines", "attr"),
    [
        ([{"type": "gpus", "nominal": -1}], "lines.0.nominal"),
        ([{"type": "gpus", "nominal": 1.5}], "lines.0.nominal"),
        ([{"type": "gpus", "nominal": 2**63}], "lines.0.nominal"),
        ([{"type": "gpus", "nominal": 100_001}], "gpus"),
        ([{"type": "warp_cores", "nominal": 1}], "warp_cores"),
        ([{"type": "gpus", "nominal": 1, "lend_limit": 1}], "gpus"),
        ([{"type": "gpus", "nominal": 1}, {"type": "gpus", "nominal": 2}], "lines"),
    ],
)
def test_bad_quotas_get_a_message_at_their_place_and_change_nothing(
    admin: Client, tenant: Tenant, lines: list[dict[str, Any]], attr: str
) -> None:
    before = limits_of(tenant)
    refused = send(admin, "put", "tenants/vision/quota/", {"lines": [{"type": "pods", "nominal": 9}, *lines]})
    attrs = [error["attr"] for error in refused.json()["errors"]]
    assert (refused.status_code, attrs) == (400, [attr.replace("lines.0", "lines.1")])
    assert limits_of(tenant) == before


@pytest.mark.parametrize(
    ("who", "see", "change"),
    [("owner", 200, 403), ("tenant_admin", 200, 403), ("auditor", 200, 403), ("outsider", 404, 404)],
)
def test_members_see_their_quota_and_only_a_platform_admin_changes_it(
    request: pytest.FixtureRequest, client_of: ClientOf, tenant: Tenant, who: str, see: int, change: int
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get("/api/v1/tenants/vision/quota/").status_code == see
    assert send(client, "put", "tenants/vision/quota/", {"lines": []}).status_code == change
    assert send(client, "put", "tenants/vision/cohort/", {"cohort": None}).status_code == change


def test_cohorts_are_the_platform_s(client_of: ClientOf, owner: User, auditor: User) -> None:
    cohort = Cohort.objects.create(name="research")
    assert client_of(owner).get("/api/v1/cohorts/").status_code == 403
    assert client_of(auditor).get(f"/api/v1/cohorts/{cohort.pk}/").json()["name"] == "research"
    assert send(client_of(auditor), "post", "cohorts/", {"name": "mine"}).status_code == 403
    assert send(client_of(auditor), "delete", f"cohorts/{cohort.pk}/").status_code == 403


def test_an_unknown_cohort_gets_a_message_at_its_field(admin: Client, tenant: Tenant) -> None:
    refused = send(admin, "put", "tenants/vision/cohort/", {"cohort": "00000000-0000-4000-8000-000000000000"})
    assert (refused.status_code, refused.json()["errors"][0]["attr"]) == (400, "cohort")


def test_resource_types_say_what_amounts_are_named_by(client_of: ClientOf, owner: User) -> None:
    rows = client_of(owner).get("/api/v1/resource-types/").json()["results"]
    assert {row["key"]: (row["kube_name"], row["unit"]) for row in rows} == {
        "cpu_millicores": ("cpu", "millicores"),
        "memory_mib": ("memory", "mib"),
        "gpus": ("nvidia.com/gpu", "count"),
        "pods": ("pods", "count"),
    }


def test_a_quota_costs_six_statements_at_most(admin: Client, tenant: Tenant) -> None:
    cohort = Cohort.objects.create(name="research")
    send(admin, "put", "tenants/vision/cohort/", {"cohort": str(cohort.pk)})
    with CaptureQueriesContext(connection) as seen:
        admin.get("/api/v1/tenants/vision/quota/")
    assert len(seen) <= 6
