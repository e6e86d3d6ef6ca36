"""Every endpoint that takes an id, whatever the method and the body: another tenant's answers as a missing one does."""

import datetime as dt
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.core.models import Scope, User
from portal.core.tokens import token_create
from quotarequests.requesting import Ask, request_create
from quotarequests.rules import rule_set
from quotarequests.specs import Rule
from tenants.models import Cohort, Membership, ResourceType, Tenant
from tests.app.api.test_pages_by_rest import REST
from workloads.models import SavedFilter, Template, Workload

pytestmark = pytest.mark.django_db
NAMED = re.compile(r"<\w+:(\w+)>")
OF_NOBODY = "resource-types/"  # what pods may ask for is everybody's to see
WITH_IDS = sorted(name for name in REST if NAMED.search(name) and OF_NOBODY not in name)
NUMBERS = {"number": "1", "other": "1"}
MISSING = {"slug": "nobodys", "username": "nobody", **NUMBERS}


@pytest.fixture
def foreign(
    make_workload: Callable[..., Workload],
    make_template: Callable[..., Template],
    tenant: Tenant,
    owner: User,
    colleague: User,
    platform_admin: User,
) -> dict[str, str]:
    """What belongs to `tenant` and its people, by the name of the parameter that stands for it."""
    later = timezone.now() + dt.timedelta(days=1)
    token, _key = token_create(actor=owner, name="ci", scopes=[Scope.READ], expires_at=later)
    rows = {
        "workload_id": make_workload(tenant, owner, state="succeeded", ended_at=timezone.now()),
        "other_id": make_workload(tenant, owner),
        "user_id": colleague,
        "token_id": token,
        "filter_id": SavedFilter.objects.create(user=owner, name="mine", query="view=mine"),
        "request_id": request_create(actor=colleague, tenant=tenant, ask=Ask({"gpus": 8}, "A deadline.")),
        "rule_id": rule_set(
            actor=platform_admin,
            found=ResourceType.objects.get(key="gpus"),
            tenant=tenant,
            rule=Rule(most_added=1, most_days=1, min_days_between=0),
        ),
        "cohort_id": Cohort.objects.create(name="research"),
        "template_id": make_template("own", tenant=tenant, owner=owner),
    }
    return {"slug": "vision", "username": "owner", **NUMBERS, **{name: str(row.pk) for name, row in rows.items()}}


def test_there_are_such_endpoints() -> None:
    assert len(WITH_IDS) > 25


@pytest.mark.parametrize("endpoint", WITH_IDS)
def test_the_id_of_another_tenant_answers_as_a_missing_one(
    endpoint: str, foreign: dict[str, str], outsider: User, owner: User, other_tenant: Tenant, client_of: Any
) -> None:
    """If it fails with a KeyError, say in `foreign` what your parameter stands for."""
    Membership.objects.create(user=owner, tenant=other_tenant, role="admin")
    later = timezone.now() + dt.timedelta(days=1)
    _token, key = token_create(actor=owner, name="bound", scopes=list(Scope), expires_at=later, tenant=other_tenant)
    callers: list[tuple[Client, dict[str, str]]] = [(client_of(outsider), {})]
    if "filter_id" not in endpoint:  # a token of one tenant has no filters at all: 403 for each
        callers.append((Client(), {"Authorization": f"Token {key}"}))
    method, _space, path = endpoint.partition(" ")
    missing = {name: MISSING.get(name, str(uuid.uuid4())) for name in NAMED.findall(path)}
    for client, headers in callers:
        answers = [called(client, method, filled(path, ids), headers) for ids in (foreign, missing)]
        assert (answers[0].status_code, answers[0].content) == (404, answers[1].content)


def filled(path: str, ids: dict[str, str]) -> str:
    return "/api/v1/" + NAMED.sub(lambda found: ids[found.group(1)], path)


def called(client: Client, method: str, path: str, headers: dict[str, str]) -> Any:
    body = None if method == "GET" else "{}"
    return getattr(client, method.lower())(path, body, content_type="application/json", headers=headers)
