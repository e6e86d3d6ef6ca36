"""Requests made from the schema, as each role: never a 5xx, never a status or a body that the schema lacks."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from portal.core.models import Scope, User
from portal.core.tokens import token_create
from quotarequests.models import ApprovalRule
from quotarequests.requesting import Ask, request_create
from tenants.models import ResourceType, Tenant
from workloads.models import SavedFilter, Template, Workload

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.timeout(600),  # hundreds of requests a role
]
SEED = 20261124
EXAMPLES = 8
CHECKS = (not_a_server_error, status_code_conformance, response_schema_conformance)


@pytest.fixture
def one_connection() -> Iterator[None]:
    """Requests share the test's transaction, so none may close its connection (as with Django's own test client)."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def operations(one_connection: None, settings: Any) -> list[Any]:
    settings.API_REQUESTS_PER_MINUTE = 10**6
    generator: Any = SchemaGenerator  # untyped
    schema = generator().get_schema(request=None, public=True)
    loaded: Any = schemathesis.openapi.from_dict(schema)
    loaded.app = get_wsgi_application()
    return [result.ok() for result in loaded.get_all_operations()]


@pytest.mark.parametrize("who", ["", "viewer", "owner", "tenant_admin", "platform_admin", "auditor", "outsider"])
def test_no_request_made_from_the_schema_is_answered_beyond_it(
    who: str,
    operations: list[Any],
    make_workload: Callable[..., Workload],
    make_template: Callable[..., Template],
    tenant: Tenant,
    owner: User,
    colleague: User,
    request: pytest.FixtureRequest,
) -> None:
    known = make_workload(tenant, owner)
    template = make_template("fuzzed", {}, {"image": "img:2"}, tenant=tenant, owner=owner)
    kept = SavedFilter.objects.create(user=owner, name="mine", query="view=mine")
    known_values = {"workload_id": known.pk, "other_id": known.pk, "slug": "vision", "user_id": colleague.pk}
    known_values |= {"filter_id": kept.pk, "username": "colleague", "template_id": template.pk, "number": 1, "other": 2}
    known_values["request_id"] = request_create(actor=owner, tenant=tenant, ask=Ask({"gpus": 8}, "A deadline.")).pk
    gpus = ResourceType.objects.get(key="gpus")
    known_values["rule_id"] = ApprovalRule.objects.create(type=gpus, most_added=1, most_days=1).pk
    headers = {"Host": "localhost"}
    if who:
        actor = request.getfixturevalue(who)
        later = timezone.now() + dt.timedelta(days=1)
        _token, key = token_create(actor=actor, name="fuzz", scopes=list(Scope), expires_at=later)
        other, _key = token_create(actor=actor, name="other", scopes=list(Scope), expires_at=later)
        known_values["token_id"] = other.pk
        headers["Authorization"] = f"Token {key}"
    for operation in operations:

        @seed(SEED)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def probe(case: Any) -> None:
            for name in set(known_values) & set(case.path_parameters or {}):
                case.path_parameters[name] = str(known_values[name])
            case.call_and_validate(headers=headers, checks=list(CHECKS))

        probe()
