"""The queue as it runs: it ticks when woken and by itself, and ends when told to."""

from collections.abc import Callable, Iterator

import pytest
from django.db.models.functions import Now

from gpu.models import Node
from portal.core import idempotency
from portal.core.hints import wake
from portal.core.models import ClusterStatus, IdempotencyKey, Lease, User
from tenants.models import Tenant
from tests.plugins.leading import Term, leading
from tests.plugins.polling import until
from workloads.admission import QUEUE
from workloads.management.commands import run_queue
from workloads.models import Workload
from workloads.services import workload_submit
from workloads.specs import JobSpec, Resources, State

pytestmark = pytest.mark.django_db(transaction=True)

SPEC = JobSpec(name="hello", image="busybox", resources=Resources(cpu_millicores=100, memory_mib=64))


@pytest.fixture
def cluster(db: None) -> None:
    """A cluster that answers, with one node."""
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=8_000, memory_mib=8_192, pods=110)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})


@pytest.fixture
def term(cluster: None) -> Iterator[Term]:
    """A queue that leads."""
    with leading(QUEUE, run_queue.lead, wake=lambda: wake(QUEUE)) as begun:
        yield begun


def started(workload: Workload) -> bool:
    return Workload.objects.get(pk=workload.pk).state == State.STARTING


def test_a_submission_wakes_the_queue(term: Term, owner: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    until("the first starts", lambda: started(first), timeout_s=20)
    monkeypatch.setattr(run_queue, "TICK_S", 15.0)  # from the next wait on only a wake helps
    second, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    until("the second starts", lambda: started(second), timeout_s=10)
    third, _ = workload_submit(actor=owner, tenant=tenant, spec=SPEC)
    until("the third starts", lambda: started(third), timeout_s=10)


def test_without_any_hint_it_looks_by_itself(
    term: Term, owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    workload = make_workload(tenant, owner)
    until("it starts", lambda: started(workload), timeout_s=20)


def test_expired_idempotency_keys_are_forgotten(cluster: None, owner: User) -> None:
    columns = {"actor": owner, "digest": "", "status": 201, "object_id": owner.pk}
    IdempotencyKey.objects.create(key="old", expires_at="2026-01-01T00:00:00Z", **columns)
    IdempotencyKey.objects.create(key="new", expires_at="2126-01-01T00:00:00Z", **columns)
    assert idempotency.forget_expired() == 1
    assert IdempotencyKey.objects.get().key == "new"


def test_it_ends_when_its_lease_is_lost(
    term: Term, owner: User, tenant: Tenant, make_workload: Callable[..., Workload]
) -> None:
    assert Lease.objects.filter(name=QUEUE).update(holder="another", epoch=99) == 1
    workload = make_workload(tenant, owner)
    until("the queue ends", lambda: term.lost, timeout_s=20)
    assert not started(workload)
