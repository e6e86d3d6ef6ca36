"""The audit trail as a page, as files and by REST: who sees it, what narrows it, what hostile input does."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core import audit
from portal.core.models import User
from portal.web.audit import FILE_ROWS, PAGE_ROWS
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def entries(owner: User, colleague: User, tenant: Tenant, other_tenant: Tenant) -> None:
    audit.record(
        actor=owner, action="workload.cancel", target=tenant, tenant_id=tenant.pk, after={"state": "cancelled"}
    )
    audit.record(actor=colleague, action="membership.set", target=tenant, tenant_id=tenant.pk, after={"user": "=1+1"})
    audit.record(
        actor=None, action="tenant.update", target=other_tenant, tenant_id=other_tenant.pk, after={"name": "S"}
    )


@pytest.fixture
def reads(auditor: User, client_of: ClientOf) -> Client:
    return client_of(auditor)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def actions(client: Client, query: str) -> list[str]:
    return [row["action"] for row in client.get(f"/api/v1/audit/?{query}").json()["results"]]


@pytest.mark.parametrize("path", ["/audit/", "/audit/export.csv", "/audit/export.json", "/api/v1/audit/"])
def test_only_the_platform_s_admins_and_auditors_read_the_trail(
    client_of: ClientOf, tenant_admin: User, auditor: User, platform_admin: User, path: str
) -> None:
    statuses = [client_of(who).get(path).status_code for who in (tenant_admin, auditor, platform_admin)]
    assert statuses == [403, 200, 200]


@pytest.mark.parametrize(
    ("page_query", "rest_query", "expected"),
    [
        ("", "", ["tenant.update", "membership.set", "workload.cancel"]),
        ("actor=OWNER", "actor=OWNER", ["workload.cancel"]),
        ("action=membership.", "action=membership.", ["membership.set"]),
        ("tenant=speech", "tenant=speech", ["tenant.update"]),
        ("until=2020-01-01", "until=2020-01-01T00:00:00Z", []),
        ("since=2020-01-01", "since=2020-01-01T00:00:00Z", ["tenant.update", "membership.set", "workload.cancel"]),
        ("target=nothing", "target=nothing", []),
    ],
)
def test_filters_narrow_page_files_and_rest_alike(
    entries: None, reads: Client, page_query: str, rest_query: str, expected: list[str]
) -> None:
    assert actions(reads, rest_query) == expected
    page = reads.get(f"/audit/?{page_query}").content.decode()
    for action in ("tenant.update", "membership.set", "workload.cancel"):
        assert (f">{action}</span>" in page) is (action in expected)
    told = json.loads(body(reads.get(f"/audit/export.json?{page_query}")))
    assert [row["action"] for row in told] == expected


def test_a_file_holds_all_of_it_and_no_cell_is_a_formula(entries: None, reads: Client, tenant: Tenant) -> None:
    for number in range(FILE_ROWS + 2):
        audit.record(actor=None, action="tenant.update", target=tenant, after={"name": f"=1+{number}"})
    rows = list(csv.DictReader(io.StringIO(body(reads.get("/audit/export.csv")).decode("utf-8-sig"))))
    assert len(rows) == FILE_ROWS + 5
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert json.loads(rows[-1]["after"]) == {"state": "cancelled"}


def test_pages_go_on_where_the_last_one_ended(reads: Client, tenant: Tenant) -> None:
    for number in range(PAGE_ROWS + 1):
        audit.record(actor=None, action="tenant.create", target=tenant, after={"slug": f"s{number}"})
    first = reads.get("/audit/?action=tenant.")
    assert first.content.decode().count("c-when r nowrap") == PAGE_ROWS
    second = reads.get("/audit/" + first.context["next_url"])
    assert second.content.decode().count("c-when r nowrap") == 1
    assert second.context["next_url"] == ""


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("tenant=nobodys", 400),
        ("since=yesterday", 400),
        ("action=everything", 400),
        ("actor=" + "x" * 200, 400),
        ("before=" + "9" * 40, 200),
        ("before=-1", 200),
        ("actor=%00", 400),
    ],
)
def test_what_cannot_be_read_is_told_at_its_field_and_breaks_nothing(
    entries: None, reads: Client, query: str, status: int
) -> None:
    assert reads.get(f"/audit/?{query}").status_code == status


@pytest.mark.parametrize("query", ["tenant=nobodys", "since=yesterday", "nonsense=1", "limit=0"])
def test_rest_refuses_what_it_cannot_read(entries: None, reads: Client, query: str) -> None:
    assert reads.get(f"/api/v1/audit/?{query}").status_code == 400


def test_the_page_costs_six_statements_at_most_however_long_the_trail(
    entries: None, reads: Client, tenant: Tenant
) -> None:
    with CaptureQueriesContext(connection) as few:
        reads.get("/audit/?tenant=vision")
    for _ in range(100):
        audit.record(actor=None, action="tenant.update", target=tenant, tenant_id=tenant.pk)
    with CaptureQueriesContext(connection) as many:
        reads.get("/audit/?tenant=vision")
    assert len(many) == len(few) <= 6
