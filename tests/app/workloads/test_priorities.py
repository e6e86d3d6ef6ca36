"""Priorities: whose turn comes first, and where a priority is said, asked for, shown and narrowed by."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from gpu.models import Node
from portal.core import leases
from portal.core.leases import Held
from portal.core.models import ClusterStatus, User
from tenants.models import Tenant
from tests.app.workloads.test_views_submit import GOOD
from workloads.admission import QUEUE, tick
from workloads.models import Workload
from workloads.specs import Reason, State
from workloads.verdict import place_of

pytestmark = pytest.mark.django_db
Make = Callable[..., Workload]
ClientOf = Callable[[User], Client]


@pytest.fixture
def held(db: None) -> Held:
    """The lease of the queue, before a cluster with one node."""
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=8)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})
    found = leases.acquire(QUEUE, "test", ttl_s=600)
    assert found is not None
    return found


@pytest.fixture
def three(make_workload: Make, tenant: Tenant, owner: User) -> dict[str, Workload]:
    """One of each priority, the low submitted first and the high last; any of them fits, but only one."""
    made = {}
    for minute, priority in enumerate(("low", "normal", "high")):
        made[priority] = make_workload(tenant, owner, name=priority, gpus=3, spec={"priority": priority})
        Workload.objects.filter(pk=made[priority].pk).update(created=dt.datetime(2026, 1, 1, 0, minute, tzinfo=dt.UTC))
        made[priority].refresh_from_db()
    return made


def test_the_high_goes_first_whenever_it_was_submitted(held: Held, three: dict[str, Workload]) -> None:
    assert [place_of(three[name]) for name in ("high", "normal", "low")] == [1, 2, 3]
    assert tick(held) == 1
    for workload in three.values():
        workload.refresh_from_db()
    assert [(name, three[name].state, three[name].reason_code) for name in three] == [
        ("low", State.QUEUED, Reason.BEHIND_OTHERS),
        ("normal", State.QUEUED, Reason.OVER_QUOTA),
        ("high", State.STARTING, Reason.CREATING),
    ]


def test_within_a_priority_the_first_that_came_goes_first(
    held: Held, make_workload: Make, tenant: Tenant, owner: User
) -> None:
    first, second = (make_workload(tenant, owner, gpus=3, spec={"priority": "low"}) for _ in range(2))
    assert tick(held) == 1
    first.refresh_from_db()
    assert first.state == State.STARTING
    assert (place_of(first), place_of(second)) == (None, 1)


def test_what_an_older_spec_leaves_out_is_normal(make_workload: Make, tenant: Tenant, owner: User) -> None:
    made = make_workload(tenant, owner)
    assert (made.priority, made.priority_rank) == ("normal", 1)


def test_the_form_asks_for_what_the_tenant_allows_and_for_nothing_where_it_allows_one(
    tenant: Tenant, owner: User, client_of: ClientOf
) -> None:
    client = client_of(owner)
    page = client.get("/workloads/new/?tenant=vision").content.decode()
    assert '<option value="low">' in page
    assert '<option value="high">' not in page
    Tenant.objects.update(priorities=["low"])
    page = client.get("/workloads/new/?tenant=vision").content.decode()
    assert '<input type="hidden" name="priority" value="low"' in page


def test_a_submission_keeps_its_priority_and_shows_it(
    tenant: Tenant, owner: User, client_of: ClientOf, three: dict[str, Workload]
) -> None:
    client = client_of(owner)
    assert client.post("/workloads/new/?tenant=vision", {**GOOD, "priority": "low"}).status_code == 302
    made = Workload.objects.get(name=GOOD["name"])
    assert (made.spec["priority"], made.priority) == ("low", "low")
    assert "Low" in client.get(f"/workloads/{made.pk}/").content.decode()
    again = client.get(f"/workloads/new/?tenant=vision&from={made.pk}").content.decode()
    assert '<option value="low" selected>' in again


def test_lists_are_narrowed_by_priority_and_their_files_name_it(
    owner: User, client_of: ClientOf, three: dict[str, Workload]
) -> None:
    client = client_of(owner)
    rows = client.get("/workloads/?view=all&priority=high").context["rows"]
    assert [row.item.name for row in rows] == ["high"]
    assert len(client.get("/workloads/?view=all&priority=urgent").context["rows"]) == 3
    found = client.get("/api/v1/workloads/?priority=low").json()["results"]
    assert [(row["name"], row["priority"]) for row in found] == [("low", "low")]
    assert client.get("/api/v1/workloads/?priority=urgent").status_code == 400
    told = b"".join(client.get("/api/v1/workloads/csv/").streaming_content).decode()  # type: ignore[attr-defined]
    assert ",high," in told


def test_rest_takes_a_priority_and_a_clone_another(tenant: Tenant, owner: User, client_of: ClientOf) -> None:
    client = client_of(owner)

    def post(path: str, body: dict[str, Any]) -> Any:
        return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json").json()

    sizes = {"cpu_millicores": 100, "memory_mib": 64}
    made = post("tenants/vision/workloads/", {"name": "a", "image": "img:1", "resources": sizes, "priority": "low"})
    assert (made["priority"], made["spec"]["priority"]) == ("low", "low")
    clone = post(f"workloads/{made['id']}/clone/", {"priority": "normal"})
    diff = client.get(f"/api/v1/workloads/{made['id']}/diff/{clone['id']}/").json()
    assert [(each["field"], each["left"], each["right"]) for each in diff["differences"]] == [
        ("priority", "low", "normal")
    ]
