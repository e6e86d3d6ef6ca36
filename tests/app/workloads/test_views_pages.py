"""What lists and details show, and what they cost in SQL at two sizes."""

import datetime as dt
import html
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import strip_tags

from portal.core.models import User
from tenants.models import Membership, Tenant
from workloads.models import Attempt, Pod, Workload, WorkloadEvent

pytestmark = pytest.mark.django_db
SMALL, LARGE = 100, 10_000


@pytest.fixture
def session(client_of: Callable[[User], Client], owner: User) -> Client:
    return client_of(owner)


def many(tenant: Tenant, owner: User, count: int, **fields: Any) -> None:
    spec = {"name": "n", "image": "img:1", "resources": {"cpu_millicores": 100, "memory_mib": 64, "gpus": 0}}
    columns = {"kind": "job", "spec": spec, "spec_digest": "d", "cpu_millicores": 100, "memory_mib": 64, **fields}
    rows = [
        Workload(tenant=tenant, owner=owner, name=f"n{i}", kube_name=f"w-{uuid.uuid4().hex[:12]}", **columns)
        for i in range(count)
    ]
    Workload.objects.bulk_create(rows, batch_size=2000)


def statements(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_a_list_page_costs_six_statements_at_most_whatever_its_size(
    tenant: Tenant, owner: User, platform_admin: User, auditor: User, client_of: Callable[[User], Client]
) -> None:
    queries = ("", "?view=all&q=n9&state=queued&tenant=vision")
    asked = [(client_of(who), query) for who in (owner, platform_admin, auditor) for query in queries]
    many(tenant, owner, SMALL)
    small = [statements(client, f"/workloads/{query}") for client, query in asked]
    many(tenant, owner, LARGE - SMALL)
    assert [statements(client, f"/workloads/{query}") for client, query in asked] == small
    assert max(small) <= 6


def test_a_detail_page_costs_eight_statements_at_most_whatever_the_size(
    tenant: Tenant,
    owner: User,
    viewer: User,
    platform_admin: User,
    auditor: User,
    make_workload: Callable[..., Workload],
    client_of: Callable[[User], Client],
) -> None:
    workload, clients = make_workload(tenant, owner), [client_of(each) for each in (viewer, platform_admin, auditor)]
    small = [statements(client, f"/workloads/{workload.pk}/") for client in clients]
    many(tenant, owner, LARGE)
    with_attempts(workload, 5)
    assert [statements(client, f"/workloads/{workload.pk}/") for client in clients] == small
    for client in clients:
        for page in ("", "head/", "pods/", "events/", "yaml/"):
            assert statements(client, f"/workloads/{workload.pk}/{page}") <= 8, page


def with_attempts(workload: Workload, count: int) -> None:
    for n in range(1, count + 1):
        attempt = Attempt.objects.create(
            workload=workload,
            tenant=workload.tenant,
            n=n,
            object_name=f"{workload.kube_name}-{n}",
            holds={"cpu_millicores": 100, "memory_mib": 64, "pods": 1},
            settled=True,
            released_at=timezone.now(),
            ended_at=timezone.now(),
            end_state="failed",
            reason_code="exit_code",
            reason_params={"exit_code": n},
        )
        Pod.objects.create(uid=uuid.uuid4(), attempt=attempt, name=f"pod-{n}", phase="Failed")
        WorkloadEvent.objects.create(workload=workload, state="queued", reason_code="retrying", attempt_n=n)


def test_empty_lists_stay_within_the_budget_too(session: Client) -> None:
    assert statements(session, "/workloads/") <= 6


def test_the_pages_of_a_list_hold_each_row_once_and_lead_back(tenant: Tenant, owner: User, session: Client) -> None:
    many(tenant, owner, 120)
    Workload.objects.update(created=timezone.now())  # all at once: only the id breaks the tie
    seen: list[uuid.UUID] = []
    url = "/workloads/?view=all"
    trail = []
    while url:
        page = session.get(url)
        seen += [row.item.pk for row in page.context["rows"]]
        trail.append([row.item.pk for row in page.context["rows"]])
        url = f"/workloads/{page.context['older_url']}" if page.context["older_url"] else ""
    assert len(seen) == len(set(seen)) == 120
    back = session.get(f"/workloads/{page.context['newer_url']}")
    assert [row.item.pk for row in back.context["rows"]] == trail[-2]


def test_a_broken_cursor_shows_the_first_page(tenant: Tenant, owner: User, session: Client) -> None:
    many(tenant, owner, 1)
    for cursor in ("x", "%00", "AAAA", "é"):
        assert len(session.get(f"/workloads/?after={cursor}").context["rows"]) == 1


def test_by_default_one_sees_ones_own_active_work(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User, colleague: User
) -> None:
    mine = make_workload(tenant, owner, name="mine")
    make_workload(tenant, colleague, name="theirs")
    make_workload(tenant, owner, name="over", state="failed", ended_at=timezone.now())
    names = [row.item.name for row in session.get("/workloads/").context["rows"]]
    assert names == [mine.name]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("view=all", {"mine", "theirs", "over"}),
        ("view=mine", {"mine", "over"}),
        ("view=active", {"mine", "theirs"}),
        ("view=all&state=failed", {"over"}),
        ("view=all&q=HEI", {"theirs"}),
        ("view=all&q=colleague", {"theirs"}),
        ("view=all&tenant=speech", set()),
        ("view=nonsense&state=nonsense", {"mine"}),
    ],
)
def test_filters_of_the_url_narrow_the_list(
    query: str,
    names: set[str],
    session: Client,
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    owner: User,
    colleague: User,
) -> None:
    make_workload(tenant, owner, name="mine")
    make_workload(tenant, colleague, name="theirs")
    make_workload(tenant, owner, name="over", state="failed", ended_at=timezone.now())
    assert {row.item.name for row in session.get(f"/workloads/?{query}").context["rows"]} == names


@pytest.mark.parametrize(
    ("query", "fitting"),
    [
        ("view=all", {"mine", "theirs", "over"}),
        ("view=mine-active", {"mine"}),
        ("", {"mine"}),
        ("view=all&state=failed", {"over"}),
        ("view=all&q=HEI", {"theirs"}),
        ("view=all&tenant=speech", set()),
    ],
)
def test_rows_say_whether_the_filters_fit_them(
    query: str,
    fitting: set[str],
    session: Client,
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    owner: User,
    colleague: User,
) -> None:
    made = [
        make_workload(tenant, owner, name="mine"),
        make_workload(tenant, colleague, name="theirs"),
        make_workload(tenant, owner, name="over", state="failed", ended_at=timezone.now()),
    ]
    path = f"/workloads/rows/?{query}&ids={','.join(str(row.pk) for row in made)}"
    answer = session.get(path)
    assert {row.item.name for row in answer.context["rows"]} == {"mine", "theirs", "over"}
    assert {row.item.name for row in answer.context["rows"] if row.item.fits} == fitting
    assert answer.content.decode().count(" data-fits") == len(fitting)
    assert statements(session, path) <= 4


@pytest.mark.parametrize(
    ("query", "takes_new", "states"),
    [
        ("", True, "queued running starting stopping suspended"),
        ("?view=all&q=x", True, ""),
        ("?view=all&state=failed", True, "failed"),
        ("?view=all&after=MjAyNi0wNS0xNFQxMjowMDowMCswMDowMCAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA", False, ""),
    ],
)
def test_every_first_page_takes_new_rows_that_fit_it(
    query: str, takes_new: bool, states: str, session: Client, tenant: Tenant, owner: User
) -> None:
    many(tenant, owner, 1)
    page = session.get(f"/workloads/{query}").content.decode()
    assert (" data-live-new" in page) is takes_new
    assert f'data-live-states="{states}"' in page


def test_an_id_finds_its_workload(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    one, _other = make_workload(tenant, owner), make_workload(tenant, owner)
    assert [row.item for row in session.get(f"/workloads/?q={one.pk}").context["rows"]] == [one]


def test_the_tenant_column_is_there_for_those_with_several(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, other_tenant: Tenant, owner: User
) -> None:
    make_workload(tenant, owner)
    assert 'class="c-tenant' not in session.get("/workloads/").content.decode()
    Membership.objects.create(user=owner, tenant=other_tenant, role="viewer")
    assert 'class="c-tenant' in session.get("/workloads/").content.decode()


def test_a_failure_is_explained_with_its_exit_code(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    failed = make_workload(
        tenant,
        owner,
        state="failed",
        ended_at=timezone.now(),
        reason_code="exit_code",
        reason_params={"exit_code": 3},
        exit_code=3,
    )
    page = session.get(f"/workloads/{failed.pk}/").content.decode()
    assert "Ended with exit code 3" in page
    assert 'class="chip chip-failed chip-lg"' in page


def test_a_page_escapes_what_users_and_the_cluster_wrote(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    evil = "<script>alert(1)</script>"
    workload = make_workload(
        tenant,
        owner,
        name=evil,
        spec={"env": {"A": evil}, "script": evil, "command": [evil]},
        state="starting",
        reason_code="image_pull_failed",
        reason_params={"message": evil},
    )
    for page in ("", "events/", "yaml/", "logs/"):
        assert evil not in session.get(f"/workloads/{workload.pk}/{page}").content.decode()
    assert evil not in session.get("/workloads/").content.decode()


def test_the_yaml_is_what_the_builder_makes(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    workload = make_workload(tenant, owner, spec={"script": "print(1)\nprint(2)\n"})
    with_attempts(workload, 1)
    page = session.get(f"/workloads/{workload.pk}/yaml/").content.decode()
    shown = html.unescape(strip_tags(page))
    assert f"name: {workload.kube_name}-1" in shown
    assert "kind: Job" in shown
    assert "kind: ConfigMap" in shown
    taken = session.get(f"/workloads/{workload.pk}/yaml/download/")
    assert taken.content.decode().strip() in shown
    assert taken["Content-Disposition"].startswith("attachment;")
    assert taken["X-Content-Type-Options"] == "nosniff"


def test_the_yaml_of_each_attempt_can_be_chosen_and_no_other(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    workload = make_workload(tenant, owner)
    with_attempts(workload, 2)
    path = f"/workloads/{workload.pk}/yaml/"
    for query, n in (("", 2), ("?attempt=1", 1), ("?attempt=2", 2)):
        assert f"{workload.kube_name}-{n}" in session.get(path + query).content.decode()
        assert f"name: {workload.kube_name}-{n}\n" in session.get(f"{path}download/{query}").content.decode()
        by_rest = session.get(f"/api/v1/workloads/{workload.pk}/manifests/{query}")
        assert f"name: {workload.kube_name}-{n}\n" in by_rest.content.decode()
    for query in ("?attempt=3", "?attempt=x"):
        assert session.get(path + query).status_code == 404
        assert session.get(f"{path}download/{query}").status_code == 404
    assert session.get(f"/api/v1/workloads/{workload.pk}/manifests/?attempt=3").status_code == 404


def test_the_live_part_of_a_page_draws_the_same_when_nothing_changed(
    session: Client, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    workload = make_workload(tenant, owner)
    Workload.objects.update(created=timezone.now() - dt.timedelta(days=3, minutes=1))
    path = f"/workloads/{workload.pk}/head/"
    first = session.get(path).content.decode()
    assert first == session.get(path).content.decode()
    assert first.strip().startswith('<div id="workload-live">')
