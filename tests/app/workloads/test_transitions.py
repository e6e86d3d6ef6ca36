"""The one door for states: what passes, what bounces off, what is told."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.models import Tenant
from workloads.models import Workload, WorkloadEvent
from workloads.specs import TERMINAL, Reason, State
from workloads.transitions import Change, apply_changes

pytestmark = pytest.mark.django_db

THEN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.fixture
def workload(tenant: Tenant, owner: User, make_workload: Callable[..., Workload]) -> Workload:
    return make_workload(tenant, owner)


def test_a_change_is_written_once_with_its_event(workload: Workload) -> None:
    change = Change(workload_id=workload.pk, state=State.RUNNING, attempt_n=1, started_at=THEN)
    assert apply_changes([change]) == {workload.pk}
    assert apply_changes([change]) == set()
    workload.refresh_from_db()
    assert (workload.state, workload.version, workload.started_at) == (State.RUNNING, 2, THEN)
    assert [(event.state, event.attempt_n) for event in WorkloadEvent.objects.all()] == [(State.RUNNING, 1)]


def test_new_numbers_of_the_same_reason_change_the_row_but_make_no_event(workload: Workload) -> None:
    for held in (1, 2):
        change = Change(workload_id=workload.pk, state=State.QUEUED, reason=Reason.OVER_QUOTA, params={"held": held})
        assert apply_changes([change]) == {workload.pk}
    workload.refresh_from_db()
    assert (workload.reason_params, workload.version) == ({"held": 2}, 3)
    assert WorkloadEvent.objects.count() == 1


@pytest.mark.parametrize("end", sorted(TERMINAL))
def test_an_end_is_final(end: State, workload: Workload) -> None:
    assert apply_changes([Change(workload_id=workload.pk, state=end, ended_at=THEN)])
    for late in State:
        assert not apply_changes([Change(workload_id=workload.pk, state=late, reason=Reason.UNKNOWN)])
    workload.refresh_from_db()
    assert (workload.state, workload.ended_at) == (end, THEN)


def test_an_end_without_a_time_gets_the_databases(workload: Workload) -> None:
    apply_changes([Change(workload_id=workload.pk, state=State.FAILED, exit_code=3)])
    workload.refresh_from_db()
    assert workload.ended_at is not None
    assert workload.exit_code == 3


def test_what_is_being_stopped_only_goes_on_to_an_end(workload: Workload) -> None:
    apply_changes([Change(workload_id=workload.pk, state=State.STOPPING, reason=Reason.CANCELLED_BY)])
    for late in (State.RUNNING, State.STARTING, State.QUEUED, State.SUSPENDED):
        assert not apply_changes([Change(workload_id=workload.pk, state=late)])
    assert apply_changes([Change(workload_id=workload.pk, state=State.CANCELLED)])


def test_a_retry_goes_back_to_the_queue_without_the_old_times(workload: Workload) -> None:
    apply_changes([Change(workload_id=workload.pk, state=State.RUNNING, started_at=THEN)])
    apply_changes([Change(workload_id=workload.pk, state=State.QUEUED, reason=Reason.RETRYING, params={"attempt": 1})])
    workload.refresh_from_db()
    assert (workload.state, workload.started_at, workload.exit_code) == (State.QUEUED, None, None)


def test_the_cluster_words_are_stored_whatever_they_hold(workload: Workload) -> None:
    words = {"message": "a\0b\ud800" + "x" * 5_000, "list": [{"nan": float("nan")}]}
    apply_changes([Change(workload_id=workload.pk, state=State.FAILED, reason=Reason.REFUSED, params=words)])
    workload.refresh_from_db()
    assert workload.reason_params["message"].startswith("a\ufffdb?x")
    assert len(workload.reason_params["message"]) == 2_000
    assert workload.reason_params["list"] == [{"nan": None}]


def test_of_several_changes_to_one_workload_the_last_counts(workload: Workload) -> None:
    apply_changes(
        [Change(workload_id=workload.pk, state=state) for state in (State.STARTING, State.RUNNING, State.SUCCEEDED)]
    )
    workload.refresh_from_db()
    assert workload.state == State.SUCCEEDED


def test_an_unknown_workload_is_passed_over(workload: Workload) -> None:
    changed = apply_changes(
        [Change(workload_id=uuid4(), state=State.RUNNING), Change(workload_id=workload.pk, state=State.RUNNING)]
    )
    assert changed == {workload.pk}


@pytest.mark.parametrize("count", [1, 50])
def test_any_number_of_changes_needs_three_statements(
    count: int, tenant: Tenant, owner: User, make_workload: Callable[..., Workload]
) -> None:
    rows = [make_workload(tenant, owner) for _ in range(count)]
    with CaptureQueriesContext(connection) as queries:
        apply_changes([Change(workload_id=row.pk, state=State.RUNNING) for row in rows])
    assert len(queries) == 3


@pytest.mark.django_db(transaction=True)
def test_changes_outside_a_transaction_are_a_mistake(workload: Workload) -> None:
    with pytest.raises(RuntimeError):
        apply_changes([Change(workload_id=workload.pk, state=State.RUNNING)])


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_of_a_change_that_was_rolled_back(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr("workloads.transitions.publish_workloads", told.extend)
    with transaction.atomic():
        apply_changes([Change(workload_id=workload.pk, state=State.RUNNING)])
        transaction.set_rollback(True)
    assert told == []
    with transaction.atomic():
        apply_changes([Change(workload_id=workload.pk, state=State.RUNNING)])
    assert len(told) == 1
