"""A tick on real rows: who is admitted, what is written, and that two writers never exceed a limit."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gpu.models import Node
from portal.core import leases
from portal.core.leases import Held, LeaseLost
from portal.core.models import ClusterStatus, User
from tenants.models import Tenant
from tests.quota import limits_of, set_limits, used_by
from workloads import admission
from workloads.admission import QUEUE, tick
from workloads.models import Attempt, Workload
from workloads.specs import Reason, State

pytestmark = pytest.mark.django_db

MakeWorkload = Callable[..., Workload]


@pytest.fixture
def held(db: None) -> Held:
    """The lease of the queue."""
    found = leases.acquire(QUEUE, "test", ttl_s=600)
    assert found is not None
    return found


@pytest.fixture
def cluster(db: None) -> ClusterStatus:
    """A cluster that answers, with one large node."""
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=8)
    row, _ = ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})
    return row


def reason_of(workload: Workload) -> tuple[str, str]:
    workload.refresh_from_db()
    return workload.state, workload.reason_code


def test_what_fits_starts_with_an_attempt_that_holds_what_it_asks(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workload = make_workload(tenant, owner, gpus=2)
    assert tick(held) == 1
    attempt = workload.attempts.get()
    assert reason_of(workload) == (State.STARTING, Reason.CREATING)
    assert workload.attempts_made == 1
    assert (attempt.n, attempt.object_name, attempt.tenant) == (1, f"{workload.kube_name}-1", tenant)
    assert attempt.holds == used_by(tenant) == {"cpu_millicores": 100, "memory_mib": 64, "gpus": 2, "pods": 1}
    event = workload.events.get()
    assert (event.state, event.attempt_n) == (State.STARTING, 1)


def test_each_admitted_one_is_hinted_to_a_worker_after_the_commit(
    held: Held,
    cluster: ClusterStatus,
    tenant: Tenant,
    owner: User,
    make_workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hinted: list[str] = []
    monkeypatch.setattr(admission, "hint", lambda _task, workload_id: hinted.append(workload_id))
    workloads = [make_workload(tenant, owner) for _ in range(3)]
    tick(held)
    assert hinted == [str(workload.pk) for workload in workloads]


def test_over_the_limit_it_waits_with_the_numbers_until_others_are_released(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    first, second = (make_workload(tenant, owner, gpus=3) for _ in range(2))
    assert tick(held) == 1
    assert reason_of(second) == (State.QUEUED, Reason.OVER_QUOTA)
    assert second.reason_params == {"resource": "gpus", "asked": 3, "held": 3, "limit": 4}
    Attempt.objects.filter(workload=first).update(ended_at=Now())
    assert tick(held) == 0
    Attempt.objects.filter(workload=first).update(released_at=Now())
    assert tick(held) == 1


def test_a_reason_that_stays_the_same_is_not_written_again(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workload = make_workload(tenant, owner, gpus=5)
    tick(held)
    workload.refresh_from_db()
    version = workload.version
    tick(held)
    workload.refresh_from_db()
    assert (workload.version, workload.events.count()) == (version, 1)


def test_without_a_cluster_it_waits_and_says_so(
    held: Held, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workload = make_workload(tenant, owner)
    assert tick(held) == 0
    assert reason_of(workload) == (State.QUEUED, Reason.CLUSTER_ABSENT)


def test_nothing_starts_while_the_cluster_is_silent_and_it_says_since_when(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    ClusterStatus.objects.update(reachable_at="2026-11-24T10:00:00Z")
    workload = make_workload(tenant, owner)
    assert tick(held) == 0
    assert reason_of(workload) == (State.QUEUED, Reason.CLUSTER_STALE)
    assert workload.reason_params == {"since": "2026-11-24T10:00:00+00:00"}


def test_an_unfinished_tenant_waits(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    Tenant.objects.update(status=Tenant.Status.CREATING)
    workload = make_workload(tenant, owner)
    assert tick(held) == 0
    assert reason_of(workload) == (State.QUEUED, Reason.TENANT_NOT_READY)


def test_a_retry_starts_its_next_attempt_once_the_old_one_is_released(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workload = make_workload(tenant, owner)
    tick(held)
    Workload.objects.update(state=State.QUEUED, reason_code=Reason.RETRYING)
    assert tick(held) == 0
    assert reason_of(workload) == (State.QUEUED, Reason.RETRYING)
    Attempt.objects.update(released_at=Now())
    assert tick(held) == 1
    assert list(workload.attempts.order_by("n").values_list("n", "object_name")) == [
        (1, f"{workload.kube_name}-1"),
        (2, f"{workload.kube_name}-2"),
    ]


def test_what_is_to_stop_is_never_admitted(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    make_workload(tenant, owner, desired="stop")
    assert tick(held) == 0
    assert not Attempt.objects.exists()


def test_a_holder_whose_lease_has_gone_writes_nothing(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workload = make_workload(tenant, owner)
    leases.release(held)
    assert leases.acquire(QUEUE, "another") is not None
    with pytest.raises(LeaseLost):
        tick(held)
    assert reason_of(workload) == (State.QUEUED, Reason.NONE)
    assert not Attempt.objects.exists()


def statements(held: Held) -> int:
    with CaptureQueriesContext(connection) as queries:
        tick(held)
    return len(queries)


def test_a_tick_needs_the_same_number_of_statements_for_two_as_for_sixty(
    held: Held, cluster: ClusterStatus, tenant: Tenant, other_tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    few = [make_workload(tenant, owner) for _ in range(2)]
    make_workload(tenant, owner, gpus=5)
    small = statements(held)
    for index in range(60):
        make_workload(tenant if index % 2 else other_tenant, owner)
    large = statements(held)
    assert all(reason_of(workload)[0] == State.STARTING for workload in few)
    assert Attempt.objects.count() == 62
    assert large == small <= 22


def test_one_tick_admits_at_most_its_share(
    held: Held,
    cluster: ClusterStatus,
    tenant: Tenant,
    owner: User,
    make_workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "MOST_ADMITTED", 3)
    workloads = [make_workload(tenant, owner) for _ in range(5)]
    assert [tick(held), tick(held), tick(held)] == [3, 2, 0]
    assert [workload.attempts.count() for workload in workloads] == [1] * 5


def between_plan_and_write(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something after the plan was made and before it is written."""

    def then_fence(held: Held) -> None:
        act()
        leases.fence(held)

    monkeypatch.setattr(admission, "fence", then_fence)


def test_a_cancel_between_plan_and_write_leaves_no_attempt(
    held: Held,
    cluster: ClusterStatus,
    tenant: Tenant,
    owner: User,
    make_workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workload = make_workload(tenant, owner)
    between_plan_and_write(
        monkeypatch, lambda: Workload.objects.update(state=State.CANCELLED, desired="stop", ended_at=Now())
    )
    assert tick(held) == 0
    assert reason_of(workload)[0] == State.CANCELLED
    assert not Attempt.objects.exists()


def test_what_another_queue_admitted_between_plan_and_write_is_not_put_back_among_those_that_wait(
    held: Held,
    cluster: ClusterStatus,
    tenant: Tenant,
    owner: User,
    make_workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_limits(tenant, gpus=0)
    workload = make_workload(tenant, owner, gpus=1)

    def another_queue() -> None:
        monkeypatch.setattr(admission, "fence", leases.fence)
        set_limits(tenant, gpus=1)
        assert tick(held) == 1

    between_plan_and_write(monkeypatch, another_queue)
    tick(held)
    assert reason_of(workload) == (State.STARTING, Reason.CREATING)


def test_a_limit_lowered_between_plan_and_write_is_kept(
    held: Held,
    cluster: ClusterStatus,
    tenant: Tenant,
    owner: User,
    make_workload: MakeWorkload,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(4):
        make_workload(tenant, owner, gpus=1)
    between_plan_and_write(monkeypatch, lambda: set_limits(tenant, gpus=2))
    assert tick(held) == 2


def ticks_and_checks(held: Held) -> None:
    for _ in range(10):
        tick(held)
        with transaction.atomic():
            tenant = Tenant.objects.select_for_update(no_key=True).get()
            unsettled = Attempt.objects.filter(settled=False).values_list("holds", flat=True)
            used, limit = sum(holds["gpus"] for holds in unsettled), limits_of(tenant)["gpus"]
            told = used_by(tenant).get("gpus", 0)
        assert told == used <= limit == 4


def cancel_queued(workloads: list[Workload]) -> None:
    for workload in workloads:
        with transaction.atomic():
            row = Workload.objects.select_for_update(no_key=True).get(pk=workload.pk)
            if row.state == State.QUEUED:
                Workload.objects.filter(pk=row.pk).update(state=State.CANCELLED, desired="stop", ended_at=Now())


def release_oldest() -> None:
    for _ in range(20):
        oldest = Attempt.objects.filter(released_at__isnull=True).order_by("created").first()
        if oldest is not None:
            Attempt.objects.filter(pk=oldest.pk).update(released_at=Now())


@pytest.mark.django_db(transaction=True)
def test_two_ticks_at_once_beside_cancels_and_releases_never_exceed_a_limit(
    held: Held, cluster: ClusterStatus, tenant: Tenant, owner: User, make_workload: MakeWorkload
) -> None:
    workloads = [make_workload(tenant, owner, gpus=1) for _ in range(30)]
    go = threading.Barrier(4)

    def together(work: Callable[..., None], *args: object) -> None:
        try:
            go.wait(30)
            work(*args)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(together, ticks_and_checks, held) for _ in range(2)]
        running += [pool.submit(together, cancel_queued, workloads[::3]), pool.submit(together, release_oldest)]
        for done in running:
            done.result()
    cancelled = Workload.objects.filter(state=State.CANCELLED)
    assert not Attempt.objects.filter(workload__in=cancelled).exists()
    assert Attempt.objects.count() == Workload.objects.filter(state=State.STARTING).count() > 0
