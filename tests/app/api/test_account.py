"""One's own account by REST: profile, sessions, password; and that a token of one tenant does not reach it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.core.models import Scope, User
from tenants.models import Tenant
from tests.app.api.test_floor import ask, key_of
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
CLIENT = Callable[[User], Client]
NEW = "a quite different phrase"


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return getattr(client, method)(f"/api/v1/{path}", body or {}, content_type="application/json")


def signed_in() -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": "owner", "password": PASSWORD})
    assert client.get("/api/v1/me/").status_code == 200
    return client


def test_a_profile_is_changed_field_by_field(owner: User, client_of: CLIENT) -> None:
    client = client_of(owner)
    before = client.get("/api/v1/me/").json()
    change = {"full_name": "Ada L.", "theme": "dark", "time_zone": "Asia/Shanghai"}
    shown = send(client, "patch", "me/", change).json()
    assert shown == {**before, **change}
    assert send(client, "patch", "me/", {"language": "zh-hans"}).json()["full_name"] == "Ada L."
    assert client.get("/api/v1/tenants/none/").json()["errors"][0]["detail"].endswith("。")


@pytest.mark.parametrize(
    ("body", "attr"),
    [
        ({"email": "x"}, "email"),
        ({"email": "taken@example.test"}, "email"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"language": "xx"}, "language"),
        ({"theme": "pink"}, "theme"),
        ({"platform_role": "admin"}, "platform_role"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_at_its_field(
    owner: User, make_user: Callable[..., User], client_of: CLIENT, body: Any, attr: str
) -> None:
    make_user("other", email="taken@example.test")
    response = send(client_of(owner), "patch", "me/", body)
    assert (response.status_code, {error["attr"] for error in response.json()["errors"]}) == (400, {attr})


def test_other_sessions_are_listed_and_ended_but_not_ones_own(owner: User) -> None:
    here, there = signed_in(), signed_in()
    shown = here.get("/api/v1/me/sessions/").json()["results"]
    assert sorted(session["current"] for session in shown) == [False, True]
    assert send(here, "delete", "me/sessions/").json() == {"ended": 1}
    assert (here.get("/api/v1/me/").status_code, there.get("/api/v1/me/").status_code) == (200, 401)
    owner.refresh_from_db()  # signing in hashed the password anew
    assert ask(key_of(owner, Scope.MANAGE), "/api/v1/me/sessions/", "delete").json() == {"ended": 1}
    assert here.get("/api/v1/me/").status_code == 401


def test_a_new_password_ends_sessions_and_tokens(owner: User) -> None:
    here = signed_in()
    owner.refresh_from_db()  # signing in hashed the password anew
    key = key_of(owner, Scope.READ)
    assert ask(key, "/api/v1/me/").status_code == 200
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert send(here, "post", "me/password/", body).status_code == 204
    assert (here.get("/api/v1/me/").status_code, ask(key, "/api/v1/me/").status_code) == (401, 401)
    assert Client().login(username="owner", password=NEW)


@pytest.mark.parametrize(
    ("current", "new", "attr"),
    [
        ("wrong", NEW, "current_password"),
        (PASSWORD, "12345678901", "new_password"),
        (PASSWORD, "owner", "new_password"),
    ],
)
def test_a_password_changes_only_for_who_knows_the_old_one_and_to_a_good_one(
    owner: User, client_of: CLIENT, current: str, new: str, attr: str
) -> None:
    response = send(client_of(owner), "post", "me/password/", {"current_password": current, "new_password": new})
    assert (response.status_code, {error["attr"] for error in response.json()["errors"]}) == (400, {attr})
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


def test_guesses_at_a_password_are_counted(owner: User, client_of: CLIENT) -> None:
    body = {"current_password": "guess", "new_password": NEW}
    codes = [send(client_of(owner), "post", "me/password/", body).status_code for _ in range(12)]
    assert (codes[0], codes[-1]) == (400, 429)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("patch", "me/", {"full_name": "x"}),
        ("get", "me/sessions/", None),
        ("delete", "me/sessions/", None),
        ("post", "me/password/", {"current_password": PASSWORD, "new_password": NEW}),
        ("get", "saved-filters/", None),
        ("post", "saved-filters/", {"name": "n", "query": "view=all"}),
    ],
)
def test_a_token_of_one_tenant_does_not_reach_the_account(
    owner: User, tenant: Tenant, method: str, path: str, body: Any
) -> None:
    assert ask(key_of(owner, *Scope, tenant=tenant), f"/api/v1/{path}", method, body).status_code == 403
    whole = ask(key_of(owner, *Scope, name="whole"), f"/api/v1/{path}", method, body)
    assert whole.status_code in {200, 201, 204}
