"""What tokens may do with work: by scope, by tenant, by time; each way to change something, and each to read."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from portal.core.models import ApiToken, Scope, User
from tenants.models import Membership, Tenant
from tests.app.api.test_floor import LIMITS, ask, key_of
from tests.app.api.test_workloads import BODY, READS
from workloads.models import Workload

pytestmark = pytest.mark.django_db
MAKE = Callable[..., Workload]
ONE = "workloads/{id}/"
SUBMITTING = [
    ("post", "tenants/vision/workloads/", BODY),
    ("post", "tenants/vision/workloads/verdict/", BODY),
    ("post", f"{ONE}cancel/", {}),
    ("post", f"{ONE}clone/", {}),
    ("delete", ONE, {}),
    ("post", "workloads/bulk/", {"act": "cancel", "ids": [str(uuid.UUID(int=1))]}),
]
MANAGING = [
    ("post", "saved-filters/", {"name": "n", "query": "view=all"}),
    ("patch", "me/", {"full_name": "x"}),
    ("post", "tenants/", {"slug": "new", "name": "New", "limits": LIMITS}),
    ("patch", "tenants/vision/", {"name": "x"}),
    ("post", "tenants/vision/members/", {"username": "owner", "role": "viewer"}),
    ("delete", "tenants/vision/members/owner/", {}),
    ("post", "users/", {"username": "new"}),
]
READING = [*(f"{ONE}{part}" for part in READS), "workloads/", "workloads/csv/", "tenants/vision/workloads/"]


@pytest.fixture
def workload(make_workload: MAKE, tenant: Tenant, owner: User) -> Workload:
    return make_workload(tenant, owner)


def call(key: str, method: str, path: str, workload: Workload, body: Any = None) -> Any:
    return ask(key, f"/api/v1/{path.format(id=workload.pk)}", method, body)


def fault(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


@pytest.mark.parametrize(("method", "path", "body"), [*SUBMITTING, *MANAGING])
def test_a_token_that_may_only_read_changes_nothing(
    workload: Workload, platform_admin: User, method: str, path: str, body: Any
) -> None:
    key = key_of(platform_admin, Scope.READ)
    assert fault(call(key, method, path, workload, body)) == (403, "permission_denied")
    workload.refresh_from_db()
    assert (workload.state, workload.hidden, Workload.objects.count()) == ("queued", False, 1)


@pytest.mark.parametrize(("method", "path", "body"), MANAGING)
def test_a_token_that_may_submit_manages_nothing(
    workload: Workload, platform_admin: User, method: str, path: str, body: Any
) -> None:
    key = key_of(platform_admin, Scope.READ, Scope.SUBMIT)
    assert fault(call(key, method, path, workload, body)) == (403, "permission_denied")


@pytest.mark.parametrize(("method", "path", "body"), SUBMITTING)
def test_a_token_that_may_submit_does_what_its_holder_may(
    workload: Workload, owner: User, method: str, path: str, body: Any
) -> None:
    if method == "delete":
        Workload.objects.filter(pk=workload.pk).update(state="succeeded", ended_at=timezone.now())
    response = call(key_of(owner, Scope.SUBMIT), method, path, workload, body)
    assert response.status_code in {200, 201, 204}


@pytest.mark.parametrize("path", READING)
def test_a_token_that_may_not_read_reads_nothing(workload: Workload, owner: User, path: str) -> None:
    key = key_of(owner, Scope.SUBMIT, Scope.MANAGE)
    assert fault(call(key, "get", path, workload)) == (403, "permission_denied")


def test_a_scope_gives_nobody_a_right_that_they_lack(workload: Workload, viewer: User) -> None:
    key = key_of(viewer, *Scope)
    assert call(key, "post", "tenants/vision/workloads/", workload, BODY).status_code == 403
    assert call(key, "post", f"{ONE}cancel/", workload, {}).status_code == 403
    assert call(key, "get", ONE, workload).status_code == 200


@pytest.mark.parametrize("path", READING)
def test_a_token_of_one_tenant_reads_nothing_of_another(
    workload: Workload, owner: User, other_tenant: Tenant, path: str
) -> None:
    Membership.objects.create(user=owner, tenant=other_tenant, role="admin")
    key = key_of(owner, *Scope, tenant=other_tenant)
    response = call(key, "get", path, workload)
    if path in {"workloads/", "workloads/csv/"}:
        body = b"".join(response.streaming_content) if response.streaming else response.content
        assert (response.status_code, str(workload.pk).encode() in body) == (200, False)
        return
    missing = ask(key, "/api/v1/" + path.format(id=uuid.uuid4()).replace("vision", "nobody"))
    assert (response.status_code, response.content) == (404, missing.content)


@pytest.mark.parametrize(("method", "path", "body"), [each for each in SUBMITTING if "bulk" not in each[1]])
def test_a_token_of_one_tenant_changes_nothing_of_another(
    workload: Workload, owner: User, other_tenant: Tenant, method: str, path: str, body: Any
) -> None:
    Membership.objects.create(user=owner, tenant=other_tenant, role="admin")
    key = key_of(owner, *Scope, tenant=other_tenant)
    response = call(key, method, path, workload, body)
    missing = ask(key, "/api/v1/" + path.format(id=uuid.uuid4()).replace("vision", "nobody"), method, body)
    assert (response.status_code, response.content) == (404, missing.content)
    workload.refresh_from_db()
    assert (workload.state, Workload.objects.count()) == ("queued", 1)


def test_several_at_once_reach_only_what_the_tokens_tenant_has(
    workload: Workload, make_workload: MAKE, owner: User, other_tenant: Tenant
) -> None:
    Membership.objects.create(user=owner, tenant=other_tenant, role="admin")
    own = make_workload(other_tenant, owner)
    body = {"act": "cancel", "ids": [str(workload.pk), str(own.pk)]}
    results = call(key_of(owner, *Scope, tenant=other_tenant), "post", "workloads/bulk/", workload, body).json()
    assert [row["done"] for row in results["results"]] == [False, True]
    workload.refresh_from_db()
    assert workload.state == "queued"


@pytest.mark.parametrize(("method", "path", "body"), [*SUBMITTING, *[("get", path, None) for path in READING]])
def test_an_expired_token_and_a_wrong_one_are_nobodys(
    workload: Workload, owner: User, settings: Any, method: str, path: str, body: Any
) -> None:
    settings.API_FAILED_TOKENS_PER_MINUTE = 10**6  # counted by address, which all tests share
    key = key_of(owner, *Scope)
    ApiToken.objects.update(expires_at=timezone.now())
    for wrong in (key, key[:-1], "berth_nonsense"):
        assert fault(call(wrong, method, path, workload, body)) == (401, "authentication_failed")
    workload.refresh_from_db()
    assert (workload.state, Workload.objects.count()) == ("queued", 1)


def away(*_: Any) -> None:
    raise OperationalError("connection refused")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [*SUBMITTING, *MANAGING, *[("get", path, None) for path in READING], ("post", "ws-tickets/", {})],
)
def test_without_the_database_every_answer_is_a_503_in_the_one_shape(
    workload: Workload, owner: User, client_of: Callable[[User], Client], method: str, path: str, body: Any
) -> None:
    key, browser, anybody = key_of(owner, *Scope), client_of(owner), Client()
    url = f"/api/v1/{path.format(id=workload.pk)}"
    callers: list[tuple[Client, dict[str, str]]] = [(browser, {}), (anybody, {"Authorization": f"Token {key}"})]
    for client, headers in callers:
        client.raise_request_exception = False
        with connection.execute_wrapper(away):
            response = getattr(client, method)(url, body, content_type="application/json", headers=headers)
        assert response.status_code == 503
        assert int(response["Retry-After"]) > 0
        shown = response.json()
        assert (shown["type"], [error["code"] for error in shown["errors"]]) == ("server_error", ["unavailable"])
        assert "connection refused" not in response.content.decode()


def test_without_the_database_a_signed_in_reader_gets_the_page_that_says_so(
    owner: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(owner)
    client.raise_request_exception = False
    with connection.execute_wrapper(away):
        response = client.get("/workloads/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"<h1" in response.content
