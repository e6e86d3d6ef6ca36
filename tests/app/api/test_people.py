"""Accounts by REST: what a platform admin can do, what an auditor sees, and that nobody else learns who exists."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import AuditEntry, Scope, User
from tenants.models import Tenant
from tests.app.api.test_floor import ask, key_of
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    call = getattr(client, method)
    return call(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def test_an_account_is_made_once_and_its_owner_sets_the_password_by_a_link(admin: Client) -> None:
    body = {"username": "grace", "full_name": "Grace Hopper", "email": "grace@example.test"}
    first, again = (send(admin, "post", "users/", body, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    made = first.json()
    assert made == again.json()
    assert (made["full_name"], made["active"], made["platform_role"]) == ("Grace Hopper", True, "none")
    link = send(admin, "post", f"users/{made['id']}/password-link/")
    assert link.status_code == 201
    page = Client().get(link.json()["url"], follow=True)
    password = "a password of her own"
    Client().post(page.request["PATH_INFO"], {"new_password1": password, "new_password2": password})
    owner = Client()
    page = owner.get(link.json()["url"], follow=True)
    owner.post(page.request["PATH_INFO"], {"new_password1": password, "new_password2": password})
    assert User.objects.get(username="grace").check_password(password)
    history = admin.get(f"/api/v1/users/{made['id']}/history/").json()["results"]
    assert [entry["action"] for entry in history] == ["user.password_set", "user.password_link", "user.create"]
    assert history[-1]["text"] == "root-admin made the account"


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({}, "username"),
        ({"username": "two words"}, "username"),
        ({"username": "OWNER"}, "username"),
        ({"username": "new", "email": "nonsense"}, "email"),
        ({"username": "new", "platform_role": "king"}, "platform_role"),
        ({"username": "new", "password": "x"}, "password"),
    ],
)
def test_an_account_that_cannot_be_is_refused_at_its_field(admin: Client, owner: User, body: Any, attr: str) -> None:
    response = send(admin, "post", "users/", body)
    assert response.status_code == 400
    assert {error["attr"] for error in response.json()["errors"]} == {attr}


def test_an_account_that_is_switched_off_can_do_nothing_until_it_is_on_again(admin: Client, owner: User) -> None:
    key = key_of(owner, Scope.READ)
    shown = send(admin, "patch", f"users/{owner.pk}/", {"active": False, "platform_role": "auditor"}).json()
    assert (shown["active"], shown["platform_role"]) == (False, "auditor")
    assert shown["memberships"] == [{"tenant": "vision", "role": "developer"}]
    assert ask(key, "/api/v1/me/").status_code == 401
    assert send(admin, "post", f"users/{owner.pk}/password-link/").status_code == 409
    assert send(admin, "patch", f"users/{owner.pk}/", {"active": True}).json()["active"] is True
    assert ask(key, "/api/v1/me/").status_code == 200
    send(admin, "patch", f"users/{owner.pk}/", {"active": False})
    assert not Client().login(username="owner", password=PASSWORD)


def test_the_last_platform_admin_stays_one_and_a_change_is_made_whole_or_not_at_all(
    admin: Client, platform_admin: User
) -> None:
    path = f"users/{platform_admin.pk}/"
    assert send(admin, "patch", path, {"active": False}).status_code == 409
    assert send(admin, "patch", path, {"platform_role": "none"}).status_code == 409
    other = User.objects.create(username="second", platform_role="admin")
    changed = send(admin, "patch", path, {"platform_role": "none", "active": False})
    assert changed.status_code == 409  # nobody switches themselves off, so the first half does not stand either
    platform_admin.refresh_from_db()
    assert (platform_admin.platform_role, platform_admin.is_active) == ("admin", True)
    assert not AuditEntry.objects.filter(target_id=str(other.pk)).exists()


def test_accounts_are_found_by_text_and_kind_and_come_in_pages(
    admin: Client, make_user: Callable[..., User], owner: User, auditor: User
) -> None:
    for n in range(4):
        make_user(f"dev-{n}", first_name="Same", is_active=n != 3)
    names, url = [], "/api/v1/users/?limit=2"
    while url:
        page = admin.get(url).json()
        names += [row["username"] for row in page["results"]]
        url = page["next"]
    assert names == ["auditor", "dev-0", "dev-1", "dev-2", "dev-3", "owner", "root-admin"]
    for query, found in {"q=same": 4, "which=off": 1, "which=auditor": 1, "q=same&which=on": 3}.items():
        assert len(admin.get(f"/api/v1/users/?{query}").json()["results"]) == found, query
    assert admin.get("/api/v1/users/?whose=mine").status_code == 400


def test_a_list_of_accounts_takes_at_most_six_statements(
    admin: Client, make_user: Callable[..., User], tenant: Tenant
) -> None:
    counts = []
    for batch in range(2):
        for n in range(10):
            make_user(f"dev-{batch}-{n}", tenant=tenant)
        with CaptureQueriesContext(connection) as queries:
            assert admin.get("/api/v1/users/?limit=200").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6


@pytest.mark.parametrize("who", ["viewer", "owner", "tenant_admin", "outsider"])
def test_who_does_not_run_the_platform_cannot_tell_a_known_account_from_a_missing_one(
    who: str, colleague: User, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(who))
    for method, rest in [("get", ""), ("patch", ""), ("post", "password-link/"), ("get", "history/")]:
        known, missing = (send(client, method, f"users/{each}/{rest}") for each in (colleague.pk, uuid.uuid4()))
        assert (known.status_code, known.content) == (404, missing.content), (method, rest)
    assert client.get("/api/v1/users/").status_code == 403
    assert send(client, "post", "users/", {"username": "new"}).status_code == 403


def test_an_auditor_sees_accounts_and_changes_none(auditor: User, owner: User, client_of: CLIENT) -> None:
    client = client_of(auditor)
    assert client.get(f"/api/v1/users/{owner.pk}/").json()["username"] == "owner"
    assert client.get(f"/api/v1/users/{owner.pk}/history/").status_code == 200
    assert send(client, "patch", f"users/{owner.pk}/", {"active": False}).status_code == 403
    assert send(client, "post", f"users/{owner.pk}/password-link/").status_code == 403
    assert send(client, "post", "users/", {"username": "new"}).status_code == 403


def test_an_admins_token_of_one_tenant_knows_no_accounts(platform_admin: User, owner: User, tenant: Tenant) -> None:
    key = key_of(platform_admin, *Scope, tenant=tenant)
    known, missing = (ask(key, f"/api/v1/users/{each}/") for each in (owner.pk, uuid.uuid4()))
    assert (known.status_code, known.content) == (404, missing.content)
    assert ask(key, "/api/v1/users/").status_code == 403


def test_an_admins_reading_token_changes_no_account(platform_admin: User, owner: User) -> None:
    key = key_of(platform_admin, Scope.READ, Scope.SUBMIT)
    assert ask(key, f"/api/v1/users/{owner.pk}/").status_code == 200
    assert ask(key, f"/api/v1/users/{owner.pk}/", "patch", {"active": False}).status_code == 403
    assert ask(key, "/api/v1/users/", "post", {"username": "new"}).status_code == 403


def test_the_history_of_a_tenant_is_for_its_admins_and_auditors(
    admin: Client, tenant: Tenant, owner: User, tenant_admin: User, auditor: User, outsider: User, client_of: CLIENT
) -> None:
    send(admin, "patch", "tenants/vision/", {"name": "Vision 2"})
    for who in (tenant_admin, auditor):
        shown = client_of(who).get("/api/v1/tenants/vision/history/").json()["results"]
        assert [(entry["actor"], entry["action"]) for entry in shown] == [("root-admin", "tenant.update")]
    assert client_of(owner).get("/api/v1/tenants/vision/history/").status_code == 403
    foreign, missing = (client_of(outsider).get(f"/api/v1/tenants/{slug}/history/") for slug in ("vision", "none"))
    assert (foreign.status_code, foreign.content) == (404, missing.content)


def test_a_member_is_named_by_user_name_or_address(
    tenant_admin: User, make_user: Callable[..., User], client_of: CLIENT
) -> None:
    make_user("grace", email="grace@example.test")
    make_user("gone", is_active=False)
    client, path = client_of(tenant_admin), "tenants/vision/members/"
    for name in ("GRACE", "grace@example.test"):
        assert send(client, "post", path, {"username": name, "role": "viewer"}).json()["username"] == "grace"
    for name in ("gone", "nobody"):
        response = send(client, "post", path, {"username": name, "role": "viewer"})
        assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "username")
