"""Pages of tenants: who may open and change what, and what the forms refuse."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Membership, Tenant
from tenants.specs import Obstacle
from tests.quota import limits_of

pytestmark = pytest.mark.django_db
NEW = {
    "slug": "robotics",
    "name": "Robotics lab",
    "cpu_millicores": "12.5",
    "memory_mib": "64 GiB",
    "gpus": "2",
    "pods": "20",
}
LIMITS = {
    f"{key}-nominal" if key not in {"slug", "name"} else key: value for key, value in NEW.items() if key != "slug"
} | {"priorities": ["normal", "low"]}


@pytest.fixture
def as_person(client_of: Callable[[User], Client], request: pytest.FixtureRequest) -> Callable[[str], Client]:
    return lambda who: client_of(request.getfixturevalue(who))


@pytest.mark.parametrize(
    ("who", "page", "create", "limits", "members"),
    [
        ("viewer", 200, 403, 403, 403),
        ("owner", 200, 403, 403, 403),
        ("tenant_admin", 200, 403, 403, 302),
        ("platform_admin", 200, 302, 302, 302),
        ("auditor", 200, 403, 403, 403),
        ("outsider", 404, 403, 404, 404),
    ],
)
def test_who_may_do_what(
    who: str,
    page: int,
    create: int,
    limits: int,
    members: int,
    as_person: Callable[[str], Client],
    tenant: Tenant,
    colleague: User,
) -> None:
    client = as_person(who)
    member = {"username": "colleague", "role": "viewer"}
    assert client.get("/tenants/vision/").status_code == page
    assert client.post("/tenants/new/", NEW).status_code == create
    assert client.post("/tenants/vision/edit/", LIMITS).status_code == limits
    assert client.post("/tenants/vision/members/", member).status_code == members
    assert client.post("/tenants/vision/members/remove/", member).status_code == members


def test_a_foreign_and_a_missing_tenant_look_the_same(
    as_person: Callable[[str], Client], tenant: Tenant, outsider: User
) -> None:
    client = as_person("outsider")
    statuses = [client.get(f"/tenants/{slug}/").status_code for slug in ("vision", "nothing")]
    assert statuses == [404, 404]
    assert "Vision" not in client.get("/tenants/vision/").content.decode()


def test_a_new_tenant_has_the_limits_that_were_typed(as_person: Callable[[str], Client]) -> None:
    as_person("platform_admin").post("/tenants/new/", NEW)
    made = Tenant.objects.get(slug="robotics")
    assert limits_of(made) == {"cpu_millicores": 12_500, "memory_mib": 65_536, "gpus": 2, "pods": 20}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", ""),
        ("slug", "Bad Slug"),
        ("slug", "system"),
        ("slug", "-a"),
        ("slug", "vision"),
        ("name", ""),
        ("name", "x" * 121),
        ("cpu_millicores", "many"),
        ("memory_mib", "1 lot"),
        ("gpus", "-1"),
        ("gpus", "1.5"),
        ("pods", "100001"),
    ],
)
def test_bad_input_gets_a_message_at_its_field_and_stores_nothing(
    field: str, value: str, as_person: Callable[[str], Client], tenant: Tenant
) -> None:
    answer = as_person("platform_admin").post("/tenants/new/", {**NEW, field: value})
    assert (answer.status_code, Tenant.objects.count()) == (400, 1)
    assert f'id="id_{field}_error"' in answer.content.decode()


def test_a_limit_that_is_wrong_changes_nothing(as_person: Callable[[str], Client], tenant: Tenant) -> None:
    answer = as_person("platform_admin").post("/tenants/vision/edit/", {**LIMITS, "pods-nominal": "none"})
    assert answer.status_code == 400
    assert limits_of(tenant)["pods"] == 50


def test_a_tenant_admin_adds_changes_and_removes_a_member(
    as_person: Callable[[str], Client], tenant: Tenant, outsider: User
) -> None:
    client = as_person("tenant_admin")
    client.post("/tenants/vision/members/", {"username": "OUTSIDER", "role": "viewer"})
    assert Membership.objects.get(tenant=tenant, user=outsider).role == "viewer"
    client.post("/tenants/vision/members/", {"username": "outsider", "role": "admin"})
    assert Membership.objects.get(tenant=tenant, user=outsider).role == "admin"
    client.post("/tenants/vision/members/remove/", {"username": "outsider"})
    assert not Membership.objects.filter(tenant=tenant, user=outsider).exists()


@pytest.mark.parametrize(("field", "data"), [("username", {"username": "ghost"}), ("role", {"role": "king"})])
def test_an_unknown_person_or_role_is_refused_at_its_field(
    field: str, data: dict[str, Any], as_person: Callable[[str], Client], tenant: Tenant, outsider: User
) -> None:
    answer = as_person("tenant_admin").post(
        "/tenants/vision/members/", {"username": "outsider", "role": "viewer", **data}
    )
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not Membership.objects.filter(tenant=tenant, user=outsider).exists()


def test_a_member_is_added_by_address(as_person: Callable[[str], Client], tenant: Tenant, outsider: User) -> None:
    User.objects.filter(pk=outsider.pk).update(email="out@example.org")
    as_person("tenant_admin").post("/tenants/vision/members/", {"username": "Out@example.org", "role": "viewer"})
    assert Membership.objects.get(tenant=tenant, user=outsider).role == "viewer"


@pytest.mark.parametrize(
    ("path", "data"),
    [("members/remove/", {"username": "lead"}), ("members/", {"username": "lead", "role": "viewer"})],
)
def test_the_only_admin_of_a_tenant_cannot_go_by_mistake(
    path: str, data: dict[str, str], as_person: Callable[[str], Client], tenant: Tenant
) -> None:
    assert as_person("tenant_admin").post(f"/tenants/vision/{path}", data).status_code == 409
    assert Membership.objects.get(tenant=tenant).role == "admin"
    assert as_person("platform_admin").post(f"/tenants/vision/{path}", data).status_code == 302


def test_what_was_changed_is_told_to_those_who_manage(
    as_person: Callable[[str], Client], tenant: Tenant, colleague: User
) -> None:
    as_person("tenant_admin").post("/tenants/vision/members/", {"username": "colleague", "role": "viewer"})
    as_person("platform_admin").post("/tenants/vision/edit/", {**LIMITS, "name": "Vision"})
    told = as_person("tenant_admin").get("/tenants/vision/").content.decode()
    assert "lead changed the role of colleague to Viewer" in told
    assert "root-admin changed CPU limit (millicores): 8000 → 12500" in told
    assert "What was changed" not in as_person("colleague").get("/tenants/vision/").content.decode()


def test_who_leaves_lands_on_the_list(
    as_person: Callable[[str], Client], tenant: Tenant, make_user: Callable[..., User]
) -> None:
    make_user("deputy", tenant=tenant, role="admin")
    answer = as_person("tenant_admin").post("/tenants/vision/members/remove/", {"username": "lead"})
    assert answer.headers["Location"] == "/tenants/"


def test_each_person_sees_their_own_tenants(
    as_person: Callable[[str], Client], tenant: Tenant, other_tenant: Tenant
) -> None:
    assert "speech" not in as_person("owner").get("/tenants/").content.decode()
    assert "speech" in as_person("platform_admin").get("/tenants/").content.decode()


def test_a_namespace_that_cannot_be_made_shows_why(as_person: Callable[[str], Client], tenant: Tenant) -> None:
    Tenant.objects.update(status=Tenant.Status.ERROR, status_detail=Obstacle.FOREIGN)
    page = as_person("owner").get("/tenants/vision/").content.decode()
    assert "was not made by this installation" in page
    assert "Cannot be set up" in page


def test_the_list_costs_the_same_for_one_tenant_and_for_many(
    as_person: Callable[[str], Client], make_tenant: Callable[..., Tenant], tenant: Tenant
) -> None:
    client = as_person("platform_admin")

    def statements() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/tenants/").status_code == 200
        return len(seen)

    before = statements()
    for number in range(30):
        make_tenant(f"team-{number}")
    assert statements() == before <= 7
