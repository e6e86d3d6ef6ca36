"""The start page: only what is known, for everybody who signs in, at a fixed cost."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gpu.models import Node
from portal.core.models import User
from portal.web.models import Visit
from portal.web.visits import last_visit
from tenants.models import Tenant
from workloads.models import Workload

pytestmark = pytest.mark.django_db


def home(client: Client) -> str:
    answer = client.get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_first_admin_is_led_to_the_first_tenant(client_of: Callable[[User], Client], platform_admin: User) -> None:
    assert 'href="/tenants/new/"' in home(client_of(platform_admin))


def test_somebody_without_a_tenant_is_told_whom_to_ask(
    client_of: Callable[[User], Client], make_user: Callable[..., User]
) -> None:
    page = home(client_of(make_user("alone")))
    assert "You belong to no tenant yet" in page
    assert "<code>alone</code>" in page


def test_what_failed_today_needs_its_owner_and_what_failed_last_week_does_not(
    client_of: Callable[[User], Client], make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    now = timezone.now()
    make_workload(tenant, owner, name="fresh", state="failed", ended_at=now - dt.timedelta(hours=2))
    make_workload(tenant, owner, name="old", state="failed", ended_at=now - dt.timedelta(days=3))
    needs = client_of(owner).get("/").context["needs"]
    assert [told.item.name for told in needs] == ["fresh"]


def test_what_waits_for_ten_minutes_needs_its_owner(
    client_of: Callable[[User], Client], make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    waiting, _fresh = make_workload(tenant, owner, name="waits"), make_workload(tenant, owner, name="new")
    Workload.objects.filter(pk=waiting.pk).update(created=timezone.now() - dt.timedelta(minutes=11))
    assert [told.item.name for told in client_of(owner).get("/").context["needs"]] == ["waits"]


def test_the_work_of_colleagues_is_not_mine(
    client_of: Callable[[User], Client],
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    owner: User,
    colleague: User,
) -> None:
    make_workload(tenant, colleague, name="theirs")
    assert "theirs" not in home(client_of(owner))


def test_only_nodes_that_take_work_count_as_capacity(
    client_of: Callable[[User], Client], tenant: Tenant, owner: User
) -> None:
    sizes = {"cpu_millicores": 4000, "memory_mib": 8192, "pods": 110}
    Node.objects.create(name="a", uid="a", ready=True, **sizes)
    Node.objects.create(name="b", uid="b", ready=False, **sizes)
    capacity = client_of(owner).get("/").context["capacity"]
    assert (capacity.nodes, capacity.ready, capacity.gauges[0].limit) == (2, 1, "4")


@pytest.mark.parametrize("who", ["owner", "tenant_admin", "platform_admin", "auditor"])
def test_the_page_costs_twelve_statements_at_most(
    who: str,
    client_of: Callable[[User], Client],
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    request: pytest.FixtureRequest,
) -> None:
    client = client_of(request.getfixturevalue(who))
    Node.objects.create(name="a", uid="a", ready=True)
    for _number in range(40):
        make_workload(tenant, owner)
    with CaptureQueriesContext(connection) as seen:
        home(client)
    assert len(seen) <= 12


def test_what_failed_since_the_last_visit_needs_its_owner(
    client_of: Callable[[User], Client], make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    now = timezone.now()
    Visit.objects.create(user=owner, seen_at=now - dt.timedelta(days=4))
    make_workload(tenant, owner, name="while-away", state="failed", ended_at=now - dt.timedelta(days=3))
    for _look in range(2):
        needs = client_of(owner).get("/").context["needs"]
        assert [told.item.name for told in needs] == ["while-away"]


def test_a_visit_goes_on_until_half_an_hour_passes(owner: User) -> None:
    start = timezone.now()
    after = [last_visit(user=owner, now=start + dt.timedelta(minutes=minutes)) for minutes in (0, 10, 20, 60, 70)]
    assert after == [None, None, None, start + dt.timedelta(minutes=20), start + dt.timedelta(minutes=20)]


def test_a_limit_that_is_nearly_used_up_needs_its_tenant(
    client_of: Callable[[User], Client],
    make_workload: Callable[..., Workload],
    admit: Callable[..., object],
    tenant: Tenant,
    owner: User,
) -> None:
    Tenant.objects.update(cpu_limit_millicores=100)
    admit(make_workload(tenant, owner))
    assert "nearly used up" in home(client_of(owner))
