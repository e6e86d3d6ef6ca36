"""What a request gathers by itself when it is made: use, the share not held, waits; and since when that is known."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.utils import timezone

from portal.core.models import User
from quotarequests.evidence import Evidence, evidence_of
from quotarequests.models import QuotaRequest
from tenants import hours
from tenants.models import QuotaLine, Tenant
from workloads.models import Attempt, Workload, WorkloadEvent
from workloads.waits import missing_quota, waits_of

pytestmark = pytest.mark.django_db
AskFor = Callable[..., QuotaRequest]
MakeWorkload = Callable[..., Workload]


@pytest.fixture
def evidence(ask: AskFor) -> Callable[..., Evidence]:
    return lambda *args: evidence_of(ask(*args).evidence)


def aged(workload: Workload, created_ago: dt.timedelta, *, wait: dt.timedelta | None = None) -> None:
    """Have a workload be that old, and admitted after a wait."""
    created = timezone.now() - created_ago
    Workload.objects.filter(pk=workload.pk).update(created=created)
    if wait is not None:
        attempt = Attempt.objects.create(
            workload=workload, tenant=workload.tenant, n=1, object_name="w-1", holds={}, settled=True
        )
        Attempt.objects.filter(pk=attempt.pk).update(created=created + wait)


def test_the_share_that_was_not_held_comes_from_the_hours_that_are_known(
    evidence: Callable[..., Evidence], tenant: Tenant
) -> None:
    start = timezone.now() - dt.timedelta(days=3)
    for hour, used in enumerate((4, 4, 2, 0)):
        QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=used)
        hours.sample(now=start + dt.timedelta(hours=hour * 6))
    [gpus] = evidence().types
    assert (gpus.key, gpus.used, gpus.nominal, gpus.free) == ("gpus", 0, 4, 4)
    assert gpus.not_held_pct == pytest.approx(37.5)
    assert gpus.since is not None
    assert start - dt.timedelta(hours=6) <= gpus.since <= start
    assert len(gpus.stretches) == 4


def test_without_a_sampled_hour_nothing_is_claimed(evidence: Callable[..., Evidence]) -> None:
    [gpus] = evidence().types
    assert (gpus.not_held_pct, gpus.since, gpus.stretches) == (None, None, [])


def test_only_the_types_that_are_asked_for_are_in_it(evidence: Callable[..., Evidence]) -> None:
    assert [found.key for found in evidence({"pods": 60, "gpus": 5}).types] == ["gpus", "pods"]


def test_waits_are_those_of_the_last_thirty_days_until_the_first_admission(
    tenant: Tenant, other_tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    Tenant.objects.update(created=timezone.now() - dt.timedelta(days=90))
    tenant.refresh_from_db()
    day = dt.timedelta(days=1)
    for minutes in (1, 2, 30):
        aged(make_workload(tenant, owner, state="running"), 2 * day, wait=dt.timedelta(minutes=minutes))
    aged(make_workload(tenant, owner, state="running"), 31 * day, wait=day)
    aged(make_workload(other_tenant, owner, state="running"), day, wait=day)
    waits = waits_of(tenant)
    assert (waits.workloads, waits.waiting_now) == (3, 0)
    assert waits.median_s == pytest.approx(120)
    assert waits.longest_s == pytest.approx(1_800)
    assert abs(timezone.now() - 30 * day - waits.since) < dt.timedelta(minutes=1)


def test_what_still_waits_counts_with_its_wait_so_far(tenant: Tenant, owner: User, make_workload: MakeWorkload) -> None:
    aged(make_workload(tenant, owner), dt.timedelta(hours=2))
    waits = waits_of(tenant)
    assert (waits.workloads, waits.waiting_now) == (1, 1)
    assert waits.longest_s is not None
    assert waits.longest_s == pytest.approx(7_200, abs=60)


def test_who_waited_for_quota_is_counted_once_by_what_was_short(
    tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    for resource, times in (("gpus", 2), ("gpus", 1), ("pods", 1)):
        workload = make_workload(tenant, owner)
        for _ in range(times):
            params = {"resource": resource}
            WorkloadEvent.objects.create(
                workload=workload, state="queued", reason_code="over_quota", reason_params=params
            )
    assert waits_of(tenant).short_of == {"gpus": 2, "pods": 1}


def test_a_young_tenant_says_since_when(tenant: Tenant) -> None:
    waits = waits_of(tenant)
    assert (waits.since, waits.workloads, waits.median_s) == (tenant.created, 0, None)


def test_what_a_waiting_workload_lacks_is_what_is_held_and_what_it_asks(
    tenant: Tenant, owner: User, outsider: User, make_workload: MakeWorkload
) -> None:
    params = {"resource": "gpus", "asked": 3, "held": 4, "limit": 4}
    waiting = make_workload(tenant, owner, reason_code="over_quota", reason_params=params)
    other = make_workload(tenant, owner, reason_code="no_capacity")
    assert missing_quota(user=owner, tenant=tenant, workload_id=waiting.pk) == (waiting, {"gpus": 7})
    assert missing_quota(user=owner, tenant=tenant, workload_id=other.pk) == (None, {})
    assert missing_quota(user=outsider, tenant=tenant, workload_id=waiting.pk) == (None, {})
