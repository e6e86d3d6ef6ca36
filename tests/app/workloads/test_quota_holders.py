"""What holds a tenant's quota, on its page and by REST: who sees it, in which order, and what it costs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.holders import MOST_SHOWN, holders_of
from tenants.models import Tenant
from tests.quota import set_limits
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]
PAGE, REST = "/tenants/vision/quota/", "/api/v1/tenants/vision/quota/holdings/"


@pytest.fixture
def hold(
    tenant: Tenant, owner: User, make_workload: Callable[..., Workload], admit: Callable[..., Attempt]
) -> Callable[..., Attempt]:
    """Make a workload that holds quota; keyword arguments override its columns."""

    def held(name: str, **fields: Any) -> Attempt:
        return admit(make_workload(tenant, owner, name=name, **fields))

    return held


def names(user: User, tenant: Tenant) -> list[str]:
    return [holder.name for holder in holders_of(user=user, tenant=tenant).shown]


def test_what_takes_the_largest_share_of_any_limit_comes_first(
    hold: Callable[..., Attempt], owner: User, tenant: Tenant
) -> None:
    hold("tiny")
    hold("half-the-gpus", gpus=2)
    hold("most-of-the-memory", memory_mib=12_000)
    assert names(owner, tenant) == ["most-of-the-memory", "half-the-gpus", "tiny"]


def test_work_that_ended_holds_until_its_quota_is_given_back(
    hold: Callable[..., Attempt], owner: User, tenant: Tenant
) -> None:
    released, settled = hold("released"), hold("settled")
    Attempt.objects.filter(pk__in=[released.pk, settled.pk]).update(released_at=Now())
    Attempt.objects.filter(pk=settled.pk).update(settled=True)
    assert names(owner, tenant) == ["released"]


def test_the_page_says_who_holds_what_and_links_only_what_may_be_opened(
    hold: Callable[..., Attempt], owner: User, client_of: ClientOf
) -> None:
    shown, hidden = hold("train", gpus=2), hold("gone")
    Workload.objects.filter(pk=hidden.workload_id).update(hidden=True)
    page = client_of(owner).get(PAGE).content.decode()
    assert f'href="/workloads/{shown.workload_id}/">train<' in page
    assert f"/workloads/{hidden.workload_id}/" not in page
    assert '<span class="row-name mono">gone</span>' in page
    assert '<span class="t2">GPUs</span> 2' in page


def test_without_work_the_page_says_that_nothing_is_held(tenant: Tenant, owner: User, client_of: ClientOf) -> None:
    assert "Nothing holds any of it now." in client_of(owner).get(PAGE).content.decode()


def test_a_tenant_without_a_quota_has_a_page_as_well(tenant: Tenant, owner: User, client_of: ClientOf) -> None:
    tenant.quota_lines.all().delete()
    assert "No quota yet" in client_of(owner).get(PAGE).content.decode()


def test_rest_lists_the_same_page_by_page(hold: Callable[..., Attempt], owner: User, client_of: ClientOf) -> None:
    train, gone = hold("train", gpus=2), hold("gone")
    Workload.objects.filter(pk=gone.workload_id).update(hidden=True)
    first = client_of(owner).get(f"{REST}?limit=1").json()
    second = client_of(owner).get(first["next"]).json()
    assert (first["results"][0]["name"], first["results"][0]["workload"], second["next"]) == ("gone", None, None)
    row = second["results"][0]
    assert row.pop("since").endswith("Z")
    assert row == {
        "workload": str(train.workload_id),
        "name": "train",
        "owner": "owner",
        "state": "starting",
        "attempt": 1,
        "holds": {"cpu_millicores": 100, "memory_mib": 64, "gpus": 2, "pods": 1},
        "share_pct": 50.0,
    }


@pytest.mark.parametrize(
    ("who", "status"), [("viewer", 200), ("auditor", 200), ("platform_admin", 200), ("outsider", 404)]
)
def test_members_and_the_platform_see_it_and_nobody_else(
    request: pytest.FixtureRequest, client_of: ClientOf, tenant: Tenant, who: str, status: int
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert [client.get(path).status_code for path in (PAGE, REST)] == [status, status]


@pytest.mark.parametrize("who", ["owner", "platform_admin", "auditor"])
def test_six_statements_however_much_there_is(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    hold: Callable[..., Attempt],
    tenant: Tenant,
    who: str,
) -> None:
    client = client_of(request.getfixturevalue(who))
    set_limits(tenant, pods=100, cpu_millicores=100_000)

    def statements(path: str) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as seen:
            page = client.get(path).content.decode()
        return len(seen), page

    hold("first")
    few = [statements(path)[0] for path in (PAGE, REST)]
    for number in range(MOST_SHOWN + 2):
        hold(f"w{number}")
    many = [statements(path) for path in (PAGE, REST)]
    assert [count for count, _page in many] == few
    assert max(few) <= 6
    assert "and 3 more" in many[0][1]
