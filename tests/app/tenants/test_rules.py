"""Rules of a tenant's work: who sets them, what is refused, what pages, REST and the history say."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from portal.core.errors import Rejected
from portal.core.models import AuditEntry, User
from tenants.history import sentence
from tenants.models import Tenant
from tenants.rules import rules_of
from tenants.services import tenant_update
from tests.app.tenants.test_views import LIMITS

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


def patch(client: Client, rules: dict[str, Any]) -> Any:
    return client.patch("/api/v1/tenants/vision/", json.dumps({"rules": rules}), content_type="application/json")


def test_a_new_tenant_may_have_normal_and_low_work_without_bounds(tenant: Tenant) -> None:
    assert rules_of(tenant) == {
        "priorities": ["normal", "low"],
        "max_runtime_s": None,
        "max_running": None,
        "max_waiting": None,
    }


def test_the_form_sets_rules_and_the_quota_page_shows_them(
    tenant: Tenant, platform_admin: User, client_of: ClientOf, viewer: User
) -> None:
    rules = {"priorities": ["low", "high"], "max_runtime_s": "2 h", "max_running": "5", "max_waiting": ""}
    assert client_of(platform_admin).post("/tenants/vision/edit/", {**LIMITS, **rules}).status_code == 302
    tenant.refresh_from_db()
    assert rules_of(tenant) == {
        "priorities": ["high", "low"],
        "max_runtime_s": 7200,
        "max_running": 5,
        "max_waiting": None,
    }
    page = client_of(viewer).get("/tenants/vision/quota/").content.decode()
    for text in ("High, Low", "2 h; work that names none gets this one", "at most 5", "no bound"):
        assert text in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priorities", []),
        ("priorities", ["urgent"]),
        ("max_runtime_s", "31 d"),
        ("max_runtime_s", "0 s"),
        ("max_running", "0"),
        ("max_running", "1.5"),
        ("max_waiting", "-3"),
        ("max_waiting", "9" * 20),
    ],
)
def test_a_bad_rule_gets_a_message_at_its_field_and_changes_nothing(
    tenant: Tenant, platform_admin: User, client_of: ClientOf, field: str, value: Any
) -> None:
    answer = client_of(platform_admin).post("/tenants/vision/edit/", {**LIMITS, field: value})
    assert answer.status_code == 400
    assert f'id="id_{field}_error"' in answer.content.decode()
    before = rules_of(tenant)
    tenant.refresh_from_db()
    assert rules_of(tenant) == before


def test_rest_shows_the_rules_and_changes_those_that_are_named(
    tenant: Tenant, platform_admin: User, tenant_admin: User, client_of: ClientOf
) -> None:
    admin = client_of(platform_admin)
    assert patch(admin, {"max_running": 7, "max_waiting": 9}).status_code == 200
    answer = patch(admin, {"max_waiting": None})
    assert answer.json()["rules"] == {
        "priorities": ["normal", "low"],
        "max_runtime_s": None,
        "max_running": 7,
        "max_waiting": None,
    }
    wrong: list[dict[str, Any]] = [{"priorities": []}, {"max_running": 0}, {"max_runtime_s": 2_592_001}]
    for bad in wrong:
        assert patch(admin, bad).status_code == 400
    assert patch(client_of(tenant_admin), {"max_running": 8}).status_code == 403


def test_a_change_is_told_in_words_and_the_same_again_is_none(tenant: Tenant, platform_admin: User) -> None:
    for _ in range(2):
        rules = {"priorities": ["normal"], "max_running": 3}
        tenant_update(actor=platform_admin, tenant=tenant, name=tenant.name, quota={}, rules=rules)
    [entry] = AuditEntry.objects.filter(action="tenant.update")
    assert sentence(entry) == "root-admin changed priorities: normal, low → normal; workloads that run at once: – → 3"


def test_the_service_refuses_what_no_form_lets_through(tenant: Tenant, platform_admin: User) -> None:
    wrong: dict[str, Any] = {"priorities": ["low", "urgent"], "max_waiting": 10**9}
    with pytest.raises(Rejected) as refused:
        tenant_update(actor=platform_admin, tenant=tenant, name=tenant.name, quota={}, rules=wrong)
    assert set(refused.value.fields) == {"priorities", "max_waiting"}
