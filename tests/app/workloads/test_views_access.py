"""Who may open which page of a workload, and what the pages tell those who may not."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Workload

pytestmark = pytest.mark.django_db
PAGES = ["", "head/", "logs/", "pods/", "events/", "yaml/", "yaml/download/"]
CLIENT = Callable[[User], Client]


@pytest.fixture
def workload(make_workload: Callable[..., Workload], tenant: Tenant, owner: User) -> Workload:
    return make_workload(tenant, owner, name="train")


def statuses(client: Client, workload_id: Any) -> set[int]:
    return {client.get(f"/workloads/{workload_id}/{page}").status_code for page in PAGES}


def body_of(client: Client, path: str) -> str:
    """Return a page without what differs by nature: its own address, its token, its time."""
    text = client.get(path).content.decode().replace(path, "PATH")
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "TOKEN", text)
    text = re.sub(r'data-now="[^"]+"', "NOW", text)
    return re.sub(r'"X-CSRFToken": "[^"]+"', "TOKEN", text)


@pytest.mark.parametrize("who", ["owner", "colleague", "viewer", "tenant_admin", "platform_admin", "auditor"])
def test_members_and_platform_roles_see_every_page(
    who: str, workload: Workload, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    assert statuses(client_of(request.getfixturevalue(who)), workload.pk) == {200}


def test_an_outsider_gets_404_on_every_page(workload: Workload, client_of: CLIENT, outsider: User) -> None:
    assert statuses(client_of(outsider), workload.pk) == {404}


@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_and_a_missing_id_give_the_same_page(
    page: str, workload: Workload, client_of: CLIENT, outsider: User
) -> None:
    client = client_of(outsider)
    foreign = body_of(client, f"/workloads/{workload.pk}/{page}")
    assert foreign == body_of(client, f"/workloads/{uuid.uuid4()}/{page}")


def test_a_visitor_is_asked_to_sign_in(workload: Workload, client: Client) -> None:
    assert client.get(f"/workloads/{workload.pk}/").headers["Location"].startswith("/accounts/login/")


def test_rows_of_other_tenants_are_left_out(workload: Workload, client_of: CLIENT, outsider: User) -> None:
    assert client_of(outsider).get(f"/workloads/rows/?ids={workload.pk},{uuid.uuid4()}").content.strip() == b""


def test_rows_come_for_members(workload: Workload, client_of: CLIENT, colleague: User) -> None:
    page = client_of(colleague).get(f"/workloads/rows/?ids={workload.pk},nonsense").content.decode()
    assert f'<tr id="row-{workload.pk}"' in page


@pytest.mark.parametrize(
    ("who", "status", "state"),
    [
        ("owner", 302, "cancelled"),
        ("tenant_admin", 302, "cancelled"),
        ("platform_admin", 302, "cancelled"),
        ("colleague", 403, "queued"),
        ("viewer", 403, "queued"),
        ("auditor", 403, "queued"),
        ("outsider", 404, "queued"),
    ],
)
def test_who_may_cancel(
    who: str, status: int, state: str, workload: Workload, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    answer = client_of(request.getfixturevalue(who)).post(f"/workloads/{workload.pk}/cancel/")
    workload.refresh_from_db()
    assert (answer.status_code, workload.state) == (status, state)


@pytest.mark.parametrize(
    ("who", "shown"), [("owner", True), ("tenant_admin", True), ("colleague", False), ("auditor", False)]
)
def test_the_cancel_button_is_there_for_those_who_may(
    who: str, shown: bool, workload: Workload, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    page = client_of(request.getfixturevalue(who)).get(f"/workloads/{workload.pk}/").content.decode()
    assert ('id="cancel"' in page) is shown


def test_cancelling_what_has_ended_says_so_and_changes_nothing(
    make_workload: Callable[..., Workload], tenant: Tenant, owner: User, client_of: CLIENT
) -> None:
    ended = make_workload(tenant, owner, state="succeeded", ended_at="2026-01-01T00:00:00Z")
    page = client_of(owner).post(f"/workloads/{ended.pk}/cancel/", follow=True).content.decode()
    assert "already ended" in page


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("owner", 200),
        ("tenant_admin", 200),
        ("platform_admin", 200),
        ("viewer", 403),
        ("auditor", 403),
        ("outsider", 404),
    ],
)
def test_who_may_open_the_submit_form_of_a_tenant(
    who: str, status: int, tenant: Tenant, client_of: CLIENT, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get(f"/workloads/new/?tenant={tenant.slug}").status_code == status
    assert client.get(f"/workloads/new/verdict/?tenant={tenant.slug}").status_code == status


def test_somebody_without_a_tenant_is_told_whom_to_ask(client_of: CLIENT, make_user: Callable[..., User]) -> None:
    page = client_of(make_user("alone")).get("/workloads/new/").content.decode()
    assert "Ask an admin of a tenant" in page
    assert "<code>alone</code>" in page
