"""What every endpoint keeps: who calls, scopes, one shape of errors, pages, and nothing of other tenants."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.core import tokens
from portal.core.models import ApiToken, Scope, User
from tenants.models import Tenant

LIMITS = {"cpu_millicores": 1000, "memory_mib": 512, "pods": 4, "gpus": 0}
ClientOf = Callable[[User], Client]


def key_of(user: User, *scopes: Scope, tenant: Tenant | None = None, name: str = "ci") -> str:
    later = timezone.now() + dt.timedelta(days=1)
    return tokens.token_create(actor=user, name=name, scopes=scopes, expires_at=later, tenant=tenant)[1]


def ask(key: str, path: str, method: str = "get", body: Any = None, **headers: str) -> Any:
    call = getattr(Client(), method)
    sent = {"data": body, "content_type": "application/json"} if body is not None else {}
    return call(path, headers={"Authorization": f"Token {key}", **headers}, **sent)


def code(response: Any) -> str:
    return str(response.json()["errors"][0]["code"])


@pytest.mark.parametrize("path", ["me/", "tokens/", "tenants/", "gpu/nodes/", "cluster/summary/"])
def test_a_stranger_is_asked_to_say_who_they_are(db: None, path: str) -> None:
    response = Client().get(f"/api/v1/{path}")
    assert response.status_code == 401
    assert code(response) == "not_authenticated"


@pytest.mark.parametrize("path", ["me/", "tokens/", "tenants/", "tenants/vision/", "gpu/nodes/", "cluster/summary/"])
def test_a_member_reads_with_a_session_or_a_token(owner: User, client_of: ClientOf, path: str) -> None:
    assert client_of(owner).get(f"/api/v1/{path}").status_code == 200
    assert ask(key_of(owner, Scope.READ), f"/api/v1/{path}").status_code == 200


def test_a_foreign_tenant_answers_as_a_missing_one(outsider: User, tenant: Tenant, client_of: ClientOf) -> None:
    foreign = client_of(outsider).get(f"/api/v1/tenants/{tenant.slug}/")
    missing = client_of(outsider).get("/api/v1/tenants/nowhere/")
    unknown = client_of(outsider).get("/api/v1/no/such/path/")
    assert foreign.status_code == missing.status_code == unknown.status_code == 404
    assert foreign.content == missing.content == unknown.content


def test_a_token_that_may_only_read_changes_nothing(tenant_admin: User, tenant: Tenant) -> None:
    path = f"/api/v1/tenants/{tenant.slug}/members/"
    body = {"username": "lead", "role": "admin"}
    assert ask(key_of(tenant_admin, Scope.READ), path, "post", body).status_code == 403
    assert ask(key_of(tenant_admin, Scope.MANAGE, name="m"), path, "post", body).status_code == 200


def test_a_token_of_a_tenant_sees_no_other(owner: User, tenant: Tenant, other_tenant: Tenant) -> None:
    owner.memberships.create(tenant=other_tenant, role="developer")
    key = key_of(owner, Scope.READ, tenant=tenant)
    listed = ask(key, "/api/v1/tenants/").json()["results"]
    assert [row["slug"] for row in listed] == [tenant.slug]
    assert ask(key, f"/api/v1/tenants/{other_tenant.slug}/").status_code == 404
    assert [row["slug"] for row in ask(key, "/api/v1/me/").json()["memberships"]] == [tenant.slug]


def test_an_admins_token_of_a_tenant_makes_no_tenants(platform_admin: User, tenant: Tenant) -> None:
    key = key_of(platform_admin, Scope.MANAGE, tenant=tenant)
    body = {"slug": "new-one", "name": "New", "limits": LIMITS}
    assert ask(key, "/api/v1/tenants/", "post", body).status_code == 403


def test_a_token_ends_with_the_account_the_password_and_its_time(owner: User) -> None:
    keys = [key_of(owner, Scope.READ, name=name) for name in ("a", "b")]
    ApiToken.objects.filter(name="b").update(expires_at=timezone.now())
    assert [ask(key, "/api/v1/me/").status_code for key in keys] == [200, 401]
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert ask(keys[0], "/api/v1/me/").status_code == 401
    User.objects.filter(pk=owner.pk).update(is_active=True, password="another")
    assert ask(keys[0], "/api/v1/me/").status_code == 401


def test_a_key_is_shown_once_and_never_kept(owner: User, client_of: ClientOf) -> None:
    later = (timezone.now() + dt.timedelta(days=1)).isoformat()
    body = {"name": "ci", "scopes": ["read"], "expires_at": later}
    send: Any = {"data": body, "content_type": "application/json", "headers": {"Idempotency-Key": "one"}}
    first, again = (client_of(owner).post("/api/v1/tokens/", **send) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert ask(first.json()["key"], "/api/v1/me/").status_code == 200
    assert again.json()["key"] is None
    assert again.json()["id"] == first.json()["id"]
    assert first.json()["key"] not in str(ApiToken.objects.values().get())


def test_a_token_makes_none_that_may_do_more(owner: User) -> None:
    later = (timezone.now() + dt.timedelta(hours=1)).isoformat()
    body = {"name": "more", "scopes": ["manage", "submit"], "expires_at": later}
    response = ask(key_of(owner, Scope.MANAGE), "/api/v1/tokens/", "post", body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "scopes"


def test_a_revoked_token_is_refused_at_once(owner: User, client_of: ClientOf) -> None:
    key = key_of(owner, Scope.READ)
    token_id = ApiToken.objects.get().pk
    assert client_of(owner).delete(f"/api/v1/tokens/{token_id}/").status_code == 204
    assert ask(key, "/api/v1/me/").status_code == 401


def test_a_key_stands_for_one_request(platform_admin: User, client_of: ClientOf) -> None:
    def send(slug: str) -> Any:
        body = {"slug": slug, "name": "New", "limits": LIMITS}
        headers = {"Idempotency-Key": "k"}
        return client_of(platform_admin).post(
            "/api/v1/tenants/", body, content_type="application/json", headers=headers
        )

    first, again, other = send("one"), send("one"), send("two")
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.json()["id"] == first.json()["id"]
    assert again["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"slug": "\\u0000"}', "application/json", 400),
        (b'{"slug": "\\ud800"}', "application/json", 400),
        (b'{"a": NaN}', "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b" " * 1_100_000, "application/json", 413),
        (b"a=b", "text/plain", 415),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_in_the_one_shape(
    platform_admin: User, client_of: ClientOf, body: bytes, kind: str, status: int
) -> None:
    response = client_of(platform_admin).generic("POST", "/api/v1/tenants/", body, kind)
    assert response.status_code == status
    assert set(response.json()) == {"type", "errors"}


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=W10", "cursor=%00"])
def test_a_bad_page_is_refused(owner: User, client_of: ClientOf, query: str) -> None:
    assert client_of(owner).get(f"/api/v1/tenants/?{query}").status_code == 400


def test_pages_cover_a_list_once(
    platform_admin: User, client_of: ClientOf, make_tenant: Callable[..., Tenant], django_assert_num_queries: Any
) -> None:
    for n in range(5):
        make_tenant(f"t{n}", name="Same")
    client, url, seen, sizes = client_of(platform_admin), "/api/v1/tenants/?limit=2", [], []
    while url:
        with django_assert_num_queries(4):
            page = client.get(url).json()
        seen += [row["slug"] for row in page["results"]]
        sizes.append(len(page["results"]))
        url = page["next"]
    assert sorted(seen) == [f"t{n}" for n in range(5)]
    assert sizes == [2, 2, 1]


def test_failed_keys_are_counted_by_address(db: None, settings: Any) -> None:
    settings.API_FAILED_TOKENS_PER_MINUTE = 0
    response = ask("berth_wrong", "/api/v1/me/")
    assert response.status_code == 429
    assert int(response["Retry-After"]) >= 1
