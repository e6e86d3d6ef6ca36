"""A hint that was lost is repeated: for the rows that lag, only for them, and not too often."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from portal.core import leases
from portal.core.leases import LeaseLost
from portal.core.models import IdempotencyKey, Lease, User
from tenants.models import Tenant
from workloads.models import Attempt, Workload
from workloads.sweeps import MOST_HINTS, Sweeper

pytestmark = pytest.mark.django_db
LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def sweeper(db: None) -> Sweeper:
    held = leases.acquire("controller", "test")
    assert held is not None
    Tenant.objects.update(applied_at=datetime.now(UTC))
    return Sweeper(held)


def change(attempt: Attempt, **fields: Any) -> None:
    Workload.objects.filter(pk=attempt.workload_id).update(**fields)


def test_a_starting_workload_without_an_object_is_hinted_once_in_a_while(
    sweeper: Sweeper, attempt: Attempt, hints: list[str]
) -> None:
    sweeper.sweep()
    sweeper.sweep()
    assert hints == [str(attempt.workload_id)]
    change(attempt, hinted_at=LONG_AGO)
    sweeper.sweep()
    assert hints == [str(attempt.workload_id)] * 2


def test_one_sweep_hints_no_more_than_its_bound_however_the_database_looks_rows_up(
    sweeper: Sweeper,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
    tenant: Tenant,
    owner: User,
    hints: list[str],
    monkeypatch: pytest.MonkeyPatch,
    plan_row_by_row: Callable[[], None],
) -> None:
    for _ in range(5):
        admit(make_workload(tenant, owner))
    monkeypatch.setattr("workloads.sweeps.MOST_HINTS", 2)
    plan_row_by_row()
    sweeper.sweep()
    assert len(hints) == 2


def test_nothing_is_hinted_again_while_many_tasks_wait_in_the_broker(
    sweeper: Sweeper, attempt: Attempt, hints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workloads.sweeps.backlog", lambda: MOST_HINTS)
    sweeper.sweep()
    assert hints == []
    monkeypatch.setattr("workloads.sweeps.backlog", lambda: MOST_HINTS - 1)
    sweeper.sweep()
    assert hints == [str(attempt.workload_id)]


def test_one_that_has_its_object_or_is_claimed_is_left_alone(
    sweeper: Sweeper, attempt: Attempt, hints: list[str]
) -> None:
    change(attempt, claimed_until=datetime.now(UTC) + timedelta(seconds=9))
    sweeper.sweep()
    change(attempt, claimed_until=None)
    Attempt.objects.update(object_uid="u")
    sweeper.sweep()
    assert hints == []


def test_one_that_is_being_stopped_is_hinted_until_it_is(sweeper: Sweeper, attempt: Attempt, hints: list[str]) -> None:
    Attempt.objects.update(object_uid="u")
    change(attempt, state="stopping", desired="stop")
    sweeper.sweep()
    assert hints == [str(attempt.workload_id)]


@pytest.mark.parametrize(("sealed", "expected"), [(True, 1), (False, 0)])
def test_a_finished_job_is_cleaned_once_its_log_is_sealed(
    sweeper: Sweeper, attempt: Attempt, hints: list[str], sealed: bool, expected: int
) -> None:
    Attempt.objects.update(object_uid="u", ended_at=LONG_AGO, end_state="succeeded", released_at=LONG_AGO)
    change(attempt, state="succeeded", ended_at=LONG_AGO, log_sealed=sealed)
    sweeper.sweep()
    assert len(hints) == expected


def test_a_job_that_finished_a_moment_ago_is_not_cleaned_yet(
    sweeper: Sweeper, attempt: Attempt, hints: list[str]
) -> None:
    now = datetime.now(UTC)
    Attempt.objects.update(object_uid="u", ended_at=now, end_state="succeeded", released_at=now)
    change(attempt, state="succeeded", ended_at=now, log_sealed=True)
    sweeper.sweep()
    assert hints == []


def test_tenants_that_are_not_applied_or_were_not_checked_for_long_are_hinted(
    sweeper: Sweeper, make_tenant: Callable[..., Tenant], hints: list[str]
) -> None:
    now = datetime.now(UTC)
    make_tenant("fresh", applied_at=now)
    expected: set[UUID] = {
        make_tenant("creating", status="creating").pk,
        make_tenant("changed", generation=2, applied_at=now).pk,
        make_tenant("unchecked", applied_at=LONG_AGO).pk,
    }
    sweeper.sweep()
    assert set(hints) == {str(pk) for pk in expected}
    sweeper.sweep()
    assert len(hints) == 3


def test_expired_idempotency_keys_go(sweeper: Sweeper, owner: User) -> None:
    made = {"actor": owner, "digest": "d", "status": 201, "object_id": uuid4()}
    IdempotencyKey.objects.create(key="old", expires_at=LONG_AGO, **made)
    IdempotencyKey.objects.create(key="new", expires_at=datetime.now(UTC) + timedelta(hours=1), **made)
    sweeper.sweep()
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["new"]


def test_a_sweep_without_the_lease_does_nothing(sweeper: Sweeper, attempt: Attempt, hints: list[str]) -> None:
    Lease.objects.update(holder="another", epoch=9)
    with pytest.raises(LeaseLost):
        sweeper.sweep()
    assert hints == []
    assert Workload.objects.get(pk=attempt.workload_id).hinted_at is None
