"""Two workloads side by side, and how workloads come from each other: who sees what, what it says, what it costs."""

import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Membership, Tenant
from workloads.models import Workload

pytestmark = pytest.mark.django_db
MAKE = Callable[..., Workload]
CLIENT = Callable[[User], Client]


@pytest.fixture
def pair(make_workload: MAKE, tenant: Tenant, owner: User) -> tuple[Workload, Workload]:
    """A workload and one that was started from it with changes."""
    first = make_workload(tenant, owner, spec={"name": "train-a", "env": {"LR": "0.1"}, "script": "one\ntwo\n"})
    changes = {"name": "train-b", "env": {"LR": "0.2"}, "script": "one\n<b>three</b>\n"}
    return first, make_workload(tenant, owner, spec=changes, parent=first)


def path_of(*workloads: Workload) -> str:
    named = zip(("a", "b"), workloads, strict=False)
    return "/workloads/compare/?" + "&".join(f"{name}={workload.pk}" for name, workload in named)


@pytest.mark.parametrize("who", ["owner", "colleague", "viewer", "auditor", "platform_admin"])
def test_whoever_sees_both_sees_what_differs(
    who: str, pair: tuple[Workload, Workload], client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    page = client_of(request.getfixturevalue(who)).get(path_of(*pair)).content.decode()
    assert "train-a" in page
    assert "0.1" in page
    assert "0.2" in page
    assert "&lt;b&gt;three&lt;/b&gt;" in page


def test_one_that_is_foreign_or_missing_is_404(
    pair: tuple[Workload, Workload],
    make_workload: MAKE,
    other_tenant: Tenant,
    owner: User,
    outsider: User,
    client_of: CLIENT,
) -> None:
    foreign = make_workload(other_tenant, outsider)
    client = client_of(owner)
    assert client.get(path_of(pair[0], foreign)).status_code == 404
    assert client.get(path_of(foreign)).status_code == 404
    assert client.get(f"/workloads/compare/?a={pair[0].pk}&b={uuid.uuid4()}").status_code == 404
    assert client.get("/workloads/compare/?a=nonsense").status_code == 404


def test_without_a_second_one_chooses_from_the_lineage_and_the_latest(
    pair: tuple[Workload, Workload], make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    other = make_workload(tenant, owner)
    page = client_of(owner).get(path_of(pair[0]))
    assert [told.item for told in page.context["near"]] == [pair[1]]
    assert [told.item for told in page.context["recent"]] == [other]
    assert len(client_of(owner).get("/workloads/compare/").context["recent"]) == 3


def test_two_equal_requests_are_said_to_be_equal(
    make_workload: MAKE, tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    page = client_of(owner).get(path_of(make_workload(tenant, owner), make_workload(tenant, owner))).content.decode()
    assert "no field of the two requests differs" in page


def test_comparing_costs_eight_statements_at_most(
    pair: tuple[Workload, Workload], owner: User, client_of: CLIENT
) -> None:
    client = client_of(owner)
    for path in (path_of(*pair), path_of(pair[0]), "/workloads/compare/"):
        with CaptureQueriesContext(connection) as seen:
            assert client.get(path).status_code == 200
        assert len(seen) <= 8


def test_a_workload_shows_its_parent_what_changed_and_its_clones(
    pair: tuple[Workload, Workload], viewer: User, client_of: CLIENT
) -> None:
    child = client_of(viewer).get(f"/workloads/{pair[1].pk}/")
    assert [row.label for row in child.context["changes"]] == ["Name", "Script", "LR"]
    assert "<del>0.1</del>" in child.content.decode()
    parent = client_of(viewer).get(f"/workloads/{pair[0].pk}/")
    assert list(parent.context["lineage"].clones) == [pair[1]]


def test_a_parent_in_a_tenant_that_the_reader_cannot_see_stays_hidden(
    make_workload: MAKE, tenant: Tenant, other_tenant: Tenant, owner: User, outsider: User, client_of: CLIENT
) -> None:
    Membership.objects.create(user=owner, tenant=other_tenant, role="developer")
    parent = make_workload(tenant, owner, name="secret-project")
    child = make_workload(other_tenant, owner, parent=parent)
    for tab in ("", "logs/", "yaml/"):
        assert "secret-project" not in client_of(outsider).get(f"/workloads/{child.pk}/{tab}").content.decode()
    assert "secret-project" in client_of(owner).get(f"/workloads/{child.pk}/").content.decode()
