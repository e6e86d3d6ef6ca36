"""Cancel racing create, many at a time: whatever the order, nothing is left and nothing is held."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from portal.core.models import User
from portal.kube.fake import FakeKube
from portal.kube.types import CONFIGMAPS, JOBS
from tenants.models import Tenant
from tests.quota import set_limits
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile
from workloads.services import workload_cancel

ROUNDS = 200
AT_ONCE = 3  # pairs of threads; each thread has a database connection of the pool's eight


@pytest.mark.django_db(transaction=True)
def test_cancel_racing_create_200_times_leaves_nothing(
    cluster: FakeKube,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    ids = []
    set_limits(tenant, cpu_millicores=100 * ROUNDS, pods=ROUNDS)
    for _ in range(ROUNDS):
        workload = make_workload(tenant, owner, spec={"script": "print(1)"})
        admit(workload)
        ids.append(workload.pk)
    with ThreadPoolExecutor(AT_ONCE * 2) as pool:
        for start in range(0, ROUNDS, AT_ONCE):
            races = [
                Race(cluster, owner, pk, delay_s=(start + i) % 20 / 1000)
                for i, pk in enumerate(ids[start : start + AT_ONCE])
            ]
            for future in [pool.submit(step) for race in races for step in (race.create, race.cancel)]:
                future.result(60)
    for pk in ids:
        reconcile(pk, cluster)  # what a sweep does with rows that still stop
    assert cluster.list(JOBS, namespace=tenant.namespace).items == []
    assert cluster.list(CONFIGMAPS, namespace=tenant.namespace).items == []
    assert set(Workload.objects.values_list("state", flat=True)) == {"cancelled"}
    assert not Attempt.objects.filter(released_at=None).exists()
    assert sum(call.op == "create" for call in cluster.calls) > ROUNDS / 10, "the creates always came too late"


class Race:
    """One workload that is created and cancelled at about the same time."""

    def __init__(self, cluster: FakeKube, owner: User, workload_id: UUID, delay_s: float) -> None:
        self.cluster, self.owner, self.workload_id, self.delay_s = cluster, owner, workload_id, delay_s
        self.barrier = threading.Barrier(2)

    def create(self) -> None:
        self.barrier.wait(30)
        self._closing(lambda: reconcile(self.workload_id, self.cluster))

    def cancel(self) -> None:
        self.barrier.wait(30)
        threading.Event().wait(self.delay_s)
        self._closing(self._cancel)

    def _cancel(self) -> None:
        workload_cancel(actor=self.owner, workload=Workload.objects.get(pk=self.workload_id))
        reconcile(self.workload_id, self.cluster)

    def _closing(self, act: Callable[[], None]) -> None:
        try:
            act()
        finally:
            connection.close()
