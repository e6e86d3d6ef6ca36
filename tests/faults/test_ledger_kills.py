"""A queue that is killed around its commits: nothing is held for ever, nothing is given back twice."""

import os
import signal
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.models.functions import Now

from gpu.models import Node
from portal.core import failpoints, leases
from portal.core.leases import Held
from portal.core.models import ClusterStatus, User
from tenants.models import Tenant
from tests.quota import used_by
from workloads.admission import QUEUE, tick
from workloads.ledgercheck import differences
from workloads.models import Attempt, Workload
from workloads.specs import State

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
POINTS = ("admission.before_commit", "admission.after_commit", "settling.before_commit", "settling.after_commit")


@pytest.fixture
def held(db: None) -> Held:
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=8)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})
    found = leases.acquire(QUEUE, "test", ttl_s=600)
    assert found is not None
    return found


def tick_and_be_killed(held: Held, point: str) -> None:
    """Tick in a process of its own, with a connection of its own, which is killed at this point."""
    child = os.fork()
    if child == 0:
        try:
            connection.connection = None  # the parent's; not to be closed here
            setattr(DatabaseWrapper, "_connection_pools", {})  # noqa: B010 (unknown to types; its threads are the parent's)
            failpoints._ACTIONS[point] = "kill"
            tick(held)
        finally:
            os._exit(1)  # not reached: it has been killed
    _pid, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def released(attempts: int) -> None:
    chosen = Attempt.objects.filter(released_at=None).order_by("created")[:attempts]
    Attempt.objects.filter(pk__in=list(chosen.values_list("pk", flat=True))).update(released_at=Now())


@pytest.mark.parametrize("run", range(10))
@pytest.mark.parametrize("point", POINTS)
def test_a_queue_killed_around_a_commit_neither_holds_for_ever_nor_gives_back_twice(
    held: Held, tenant: Tenant, owner: User, make_workload: Callable[..., Workload], point: str, run: int
) -> None:
    for _ in range(8):
        make_workload(tenant, owner, gpus=1)
    assert tick(held) == 4
    released(1 + run % 4)
    connection.close()
    tick_and_be_killed(held, point)
    assert differences() == []
    tick(held)
    assert differences() == []
    assert used_by(tenant)["gpus"] == 4
    assert Attempt.objects.filter(released_at=None).count() == 4
    released(4)
    tick(held)
    released(4)
    tick(held)
    assert (used_by(tenant), differences()) == ({}, [])
    assert not Workload.objects.filter(state=State.QUEUED).exists()
