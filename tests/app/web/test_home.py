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
from tenants.models import Membership, Tenant
from tenants.roles import memberships_of, shown_tenants
from tests.quota import set_limits
from workloads import selectors
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
@pytest.mark.parametrize("work", [0, 40])
def test_the_page_costs_ten_statements_at_most(
    who: str,
    work: int,
    client_of: Callable[[User], Client],
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    request: pytest.FixtureRequest,
) -> None:
    client = client_of(request.getfixturevalue(who))
    Node.objects.create(name="a", uid="a", ready=True)
    for _number in range(work):
        make_workload(tenant, owner)
    with CaptureQueriesContext(connection) as seen:
        home(client)
    assert len(seen) <= 10, "\n".join(query["sql"][:200] for query in seen)


def started(workload: Workload, *, after: dt.timedelta, attempts: int = 1) -> None:
    submitted = timezone.now() - dt.timedelta(hours=20)
    times = {"created": submitted, "started_at": submitted + after, "ended_at": submitted + after}
    Workload.objects.filter(pk=workload.pk).update(state="succeeded", attempts_made=attempts, **times)


def test_where_waits_are_usually_long_only_a_longer_one_needs_its_owner(
    client_of: Callable[[User], Client],
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    outsider: User,
) -> None:
    for minutes in (20, 30, 40):
        started(make_workload(tenant, owner), after=dt.timedelta(minutes=minutes))
    started(make_workload(tenant, owner), after=dt.timedelta(hours=10), attempts=2)  # tried twice: no measure of a wait
    started(make_workload(other_tenant, outsider), after=dt.timedelta(hours=10))
    longer, shorter = make_workload(tenant, owner, name="longer"), make_workload(tenant, owner, name="shorter")
    for waiting, minutes in ((longer, 61), (shorter, 59)):
        Workload.objects.filter(pk=waiting.pk).update(created=timezone.now() - dt.timedelta(minutes=minutes))
    answer = client_of(owner).get("/")
    assert [told.item.name for told in answer.context["needs"]] == ["longer"]
    assert "usually 30 min in vision" in answer.content.decode()


def test_a_tenants_usual_wait_is_read_from_a_bounded_number_of_its_workloads(
    client_of: Callable[[User], Client], make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    started(make_workload(tenant, owner), after=dt.timedelta(hours=5))
    for _ in range(200):
        make_workload(tenant, owner)
    waiting = make_workload(tenant, owner, name="waits")
    Workload.objects.filter(pk=waiting.pk).update(created=timezone.now() - dt.timedelta(minutes=11))
    work = selectors.work_of(user=owner, ended_since=timezone.now(), limit=500)
    assert {getattr(row, "usual_wait", None) for row in work} == {None}


def test_those_who_see_all_tenants_have_their_own_among_them(
    make_tenant: Callable[..., Tenant], tenant: Tenant, platform_admin: User
) -> None:
    for number in range(60):
        make_tenant(f"a{number:02d}")
    Membership.objects.create(user=platform_admin, tenant=tenant, role="viewer")
    with CaptureQueriesContext(connection) as seen:
        shown = shown_tenants(platform_admin)
        mine = memberships_of(platform_admin)
    assert (len(shown), shown[-1].slug, len(seen)) == (50, "vision", 1)
    assert [(found.tenant.slug, found.role) for found in mine] == [("vision", "viewer")]


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
    set_limits(tenant, cpu_millicores=100)
    admit(make_workload(tenant, owner))
    assert "nearly used up" in home(client_of(owner))
