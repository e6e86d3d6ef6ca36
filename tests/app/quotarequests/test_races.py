"""Two people at once on one request, and sweeps beside them: one wins, the other is told, the quota moves once."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from portal.core.errors import Conflict
from portal.core.models import User
from quotarequests import sweeps
from quotarequests.deciding import request_approve, request_deny
from quotarequests.models import QuotaRequest, RequestEvent
from quotarequests.requesting import request_withdraw
from quotarequests.rules import rule_set
from quotarequests.specs import Rule
from tenants.ledger import Bounds
from tenants.models import ResourceType, Tenant
from tenants.quotaservices import quota_set
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of

pytestmark = pytest.mark.django_db(transaction=True)
AskFor = Callable[..., QuotaRequest]
ROUNDS = 8


def together(*works: Callable[[], object]) -> list[object]:
    """Run these at the same time, each with a connection of its own; return what each gave, or the Conflict it met."""
    go = threading.Barrier(len(works))

    def start(work: Callable[[], object]) -> object:
        try:
            go.wait(30)
            return work()
        except Conflict as conflict:
            return conflict
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(start, work) for work in works]]


def approved(actor: User, request: QuotaRequest) -> QuotaRequest:
    return request_approve(actor=actor, request=request, amounts=request.wanted, until=None)


def conflicts(outcomes: list[object]) -> int:
    return sum(isinstance(outcome, Conflict) for outcome in outcomes)


def test_of_two_admins_who_approve_at_once_one_is_told_that_it_is_done(
    ask: AskFor, tenant: Tenant, platform_admin: User, make_user: Callable[..., User]
) -> None:
    second = make_user("second", platform_role="admin")
    for round_number in range(1, ROUNDS + 1):
        request = ask({"gpus": 4 + 2 * round_number})
        outcomes = together(*(partial(approved, actor, request) for actor in (platform_admin, second)))
        assert conflicts(outcomes) == 1
        assert limits_of(tenant)["gpus"] == 4 + 2 * round_number
        assert RequestEvent.objects.filter(request=request, kind="approved").count() == 1


def test_a_request_that_is_withdrawn_while_it_is_approved_is_either_and_never_both(
    ask: AskFor, tenant: Tenant, owner: User, platform_admin: User
) -> None:
    for _ in range(ROUNDS):
        had = limits_of(tenant)["gpus"]
        request = ask({"gpus": had + 2})
        outcomes = together(
            partial(approved, platform_admin, request), partial(request_withdraw, actor=owner, request=request)
        )
        request.refresh_from_db()
        assert conflicts(outcomes) == 1
        assert limits_of(tenant)["gpus"] == had + (2 if request.state == "approved" else 0)


def test_approving_and_denying_at_once_leaves_one_decision(ask: AskFor, tenant: Tenant, platform_admin: User) -> None:
    request = ask()
    outcomes = together(
        lambda: request_approve(actor=platform_admin, request=request, amounts={"gpus": 8}, until=None),
        lambda: request_deny(actor=platform_admin, request=request, reason="No."),
    )
    request.refresh_from_db()
    assert conflicts(outcomes) == 1
    assert limits_of(tenant)["gpus"] == (8 if request.state == "approved" else 4)


def test_two_sweeps_at_once_take_a_grant_back_once(ask: AskFor, tenant: Tenant, platform_admin: User) -> None:
    for _ in range(ROUNDS):
        request = request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=in_days(0))
        QuotaRequest.objects.filter(pk=request.pk).update(granted_until=in_days(-1))
        together(sweeps.sweep, sweeps.sweep)
        assert limits_of(tenant)["gpus"] == 4
        assert RequestEvent.objects.filter(request=request, kind="ended").count() == 1


def test_grants_that_end_while_an_admin_sets_the_quota_take_away_exactly_what_they_added(
    ask: AskFor, tenant: Tenant, platform_admin: User
) -> None:
    for _ in range(ROUNDS):
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4)})
        request = request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=in_days(0))
        QuotaRequest.objects.filter(pk=request.pk).update(granted_until=in_days(-1))
        together(
            sweeps.sweep,
            lambda: quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=20)}),
        )
        assert limits_of(tenant)["gpus"] in {16, 20}  # taken from the new limit, or overwritten by it


def test_of_two_requests_at_once_a_rule_grants_what_it_allows_and_no_more(
    ask: AskFor, tenant: Tenant, owner: User, colleague: User, platform_admin: User
) -> None:
    of_gpus = ResourceType.objects.get(key="gpus")
    rule_set(actor=platform_admin, found=of_gpus, tenant=None, rule=Rule(most_added=4, most_days=9, min_days_between=0))
    wanted = ((owner, 8), (colleague, 9))
    outcomes = together(*(partial(ask, {"gpus": gpus}, actor=actor, until=in_days(3)) for actor, gpus in wanted))
    states = sorted(outcome.state for outcome in outcomes if isinstance(outcome, QuotaRequest))
    assert limits_of(tenant)["gpus"] == 8
    assert states == ["approved", "open"]
