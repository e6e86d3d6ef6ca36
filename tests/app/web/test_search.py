"""The palette's search and the help page: only what one may open, at a fixed cost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Workload

pytestmark = pytest.mark.django_db


def labels(client: Client, text: str) -> list[str]:
    groups: list[dict[str, Any]] = client.get(f"/search/?json=1&q={text}").json()["groups"]
    return [item["label"] for group in groups for item in group["items"]]


def test_a_search_finds_work_pages_and_tenants_that_one_may_open(
    client_of: Callable[[User], Client],
    make_workload: Callable[..., Workload],
    tenant: Tenant,
    owner: User,
    outsider: User,
) -> None:
    make_workload(tenant, owner, name="vision-train")
    assert labels(client_of(owner), "visi") == ["vision-train", "Vision"]
    assert labels(client_of(outsider), "visi") == []
    assert "Submit workload" in labels(client_of(outsider), "submit")


def test_without_a_text_ones_active_work_and_the_pages_are_offered(
    client_of: Callable[[User], Client], make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    make_workload(tenant, owner, name="mine")
    assert labels(client_of(owner), "")[:2] == ["mine", "Home"]


def test_a_search_costs_eight_statements_at_most(client_of: Callable[[User], Client], owner: User) -> None:
    client = client_of(owner)
    with CaptureQueriesContext(connection) as seen:
        client.get("/search/?json=1&q=n")
    assert len(seen) <= 8


def test_search_and_help_are_pages_without_scripts(client_of: Callable[[User], Client], owner: User) -> None:
    client = client_of(owner)
    for path in ("/search/?q=home", "/search/?q=no-such-thing", "/help/"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<h1" in answer.content.decode()


def test_a_method_that_an_address_does_not_take_gets_a_page_that_keeps_its_allow_header(
    client_of: Callable[[User], Client], owner: User
) -> None:
    answer = client_of(owner).post("/help/")
    assert (answer.status_code, answer["Allow"]) == (405, "GET")
    assert b"Error 405" in answer.content
