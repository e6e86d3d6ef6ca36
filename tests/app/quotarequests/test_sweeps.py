"""What happens by date alone: grants end by themselves, after warnings; requests that nobody decided are closed."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from portal.core.errors import Conflict
from portal.core.models import AuditEntry, User
from portal.notices.models import Notice
from portal.notices.tasks import forget_notices, send_notices
from portal.notices.wording import text_of
from quotarequests import granting, sweeps
from quotarequests.deciding import request_approve
from quotarequests.models import QuotaRequest
from quotarequests.tasks import sweep_grants
from tenants.models import QuotaLine, Tenant
from tenants.tasks import sample_quota
from tests.app.quotarequests.conftest import in_days
from tests.quota import limits_of, set_limits
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
AskFor = Callable[..., QuotaRequest]
START = dt.date(2026, 3, 1)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], dt.date]:
    """Make it so many days after the first of March."""

    def set_day(days: int) -> dt.date:
        now = START + dt.timedelta(days=days)
        monkeypatch.setattr(granting, "today", lambda: now)
        return now

    return set_day


def told(user: User) -> list[str]:
    rows = Notice.objects.filter(user=user).order_by("created", "id")
    return [text_of(row.kind, row.facts) for row in rows]


def test_a_grant_ends_after_its_last_day_and_not_on_it(
    ask: AskFor, tenant: Tenant, owner: User, platform_admin: User, on: Any
) -> None:
    on(0)
    request = request_approve(
        actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=START + dt.timedelta(days=3)
    )
    on(3)
    sweeps.sweep()
    assert limits_of(tenant)["gpus"] == 8
    on(4)
    assert sweeps.sweep() == 1
    request.refresh_from_db()
    assert (request.state, limits_of(tenant)["gpus"]) == ("ended", 4)
    assert told(owner)[-1] == "What was granted to vision has ended."
    assert AuditEntry.objects.filter(action="quota_request.ended", actor=None, tenant_id=tenant.pk).exists()
    assert AuditEntry.objects.filter(action="tenant.quota", actor=None, tenant_id=tenant.pk).exists()
    assert sweeps.sweep() == 0


def test_what_is_held_above_the_limit_runs_on_as_overhang(
    ask: AskFor,
    tenant: Tenant,
    owner: User,
    platform_admin: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=in_days(1))
    admit(make_workload(tenant, owner, gpus=7))
    QuotaRequest.objects.update(granted_until=in_days(-1))
    sweeps.sweep()
    line = QuotaLine.objects.get(tenant=tenant, type__key="gpus")
    assert (line.nominal, line.used, line.overhang) == (4, 7, 3)


@pytest.mark.parametrize(("set_to", "left"), [(10, 6), (5, 1), (2, 0)])
def test_of_a_quota_that_was_changed_meanwhile_exactly_the_granted_part_is_taken_never_below_nothing(
    ask: AskFor, tenant: Tenant, platform_admin: User, set_to: int, left: int
) -> None:
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=in_days(1))
    set_limits(tenant, gpus=set_to)
    QuotaRequest.objects.update(granted_until=in_days(-1))
    sweeps.sweep()
    assert limits_of(tenant)["gpus"] == left


def test_warnings_come_fourteen_seven_and_one_day_before_each_once(
    ask: AskFor, owner: User, tenant_admin: User, platform_admin: User, on: Any
) -> None:
    on(0)
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=START + dt.timedelta(days=20))
    Notice.objects.all().delete()
    for day in range(21):
        on(day)
        sweeps.sweep()
        sweeps.sweep()
    expected = [f"What was granted to vision ends in {n} day{'s' * (n > 1)}, on 2026-03-21." for n in (14, 7, 1)]
    assert told(owner) == told(tenant_admin) == expected


def test_a_short_grant_is_not_warned_of_at_once_and_a_missed_warning_is_not_made_up_for(
    ask: AskFor, owner: User, platform_admin: User, on: Any
) -> None:
    on(0)
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=START + dt.timedelta(days=10))
    Notice.objects.all().delete()
    sweeps.sweep()
    assert told(owner) == []
    on(9)
    sweeps.sweep()
    assert told(owner) == ["What was granted to vision ends in 1 day, on 2026-03-11."]


def test_a_grant_for_good_never_ends(ask: AskFor, tenant: Tenant, platform_admin: User, on: Any) -> None:
    request_approve(actor=platform_admin, request=ask(), amounts={"gpus": 8}, until=None)
    on(3_000)
    assert sweeps.sweep() == 0
    assert limits_of(tenant)["gpus"] == 8


def test_a_request_that_nobody_decided_in_time_is_closed_and_its_author_told(ask: AskFor, owner: User) -> None:
    request = ask(until=in_days(0))
    QuotaRequest.objects.update(until=in_days(-1))
    assert (sweeps.sweep(), sweeps.sweep()) == (1, 0)
    request.refresh_from_db()
    assert request.state == "expired"
    assert told(owner) == ["Nobody decided on the quota request of vision before its day had passed."]


def test_one_request_that_cannot_be_ended_keeps_no_other_from_its_end(
    ask: AskFor, tenant: Tenant, platform_admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted in ({"gpus": 8}, {"pods": 60}):
        request_approve(actor=platform_admin, request=ask(wanted), amounts=wanted, until=in_days(1))
    QuotaRequest.objects.update(granted_until=in_days(-1))
    whole = granting.ended

    def failing(request: QuotaRequest) -> None:
        if "gpus" in request.granted:
            raise Conflict("cannot")
        whole(request)

    monkeypatch.setattr(granting, "ended", failing)
    assert sweeps.sweep() == 1
    assert (limits_of(tenant)["gpus"], limits_of(tenant)["pods"]) == (8, 50)


def test_the_sweep_the_samples_and_the_notices_are_on_beat_s_clock(settings: Any) -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {task.name for task in (sweep_grants, sample_quota, send_notices, forget_notices)} <= scheduled
