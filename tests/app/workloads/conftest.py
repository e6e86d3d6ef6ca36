"""Workloads that were admitted, and the in-memory cluster they run on."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.core.models import User
from portal.kube.fake import FakeKube
from tenants.models import Tenant
from tests.app.workloads.watched import Watched
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile


@pytest.fixture
def admit() -> Callable[..., Attempt]:
    """Write what an admission writes: the next attempt, and the workload's state starting."""

    def make(workload: Workload, **fields: Any) -> Attempt:
        n = workload.attempts_made + 1
        sizes = {key: getattr(workload, key) for key in ("cpu_millicores", "memory_mib", "gpus")}
        named = {"workload": workload, "tenant": workload.tenant, "n": n, "object_name": f"{workload.kube_name}-{n}"}
        attempt = Attempt.objects.create(**{**named, **sizes, **fields})
        Workload.objects.filter(pk=workload.pk).update(state="starting", reason_code="creating", attempts_made=n)
        workload.refresh_from_db()
        return attempt

    return make


@pytest.fixture
def attempt(
    make_workload: Callable[..., Workload], admit: Callable[..., Attempt], tenant: Tenant, owner: User
) -> Attempt:
    """The first attempt of a workload that was just admitted and has a script."""
    return admit(make_workload(tenant, owner, spec={"script": "print('hello')"}))


@pytest.fixture
def cluster(tenant: Tenant) -> FakeKube:
    return FakeKube(namespaces=[tenant.namespace])


@pytest.fixture
def watched(cluster: FakeKube) -> Watched:
    return Watched(cluster)


@pytest.fixture
def made(cluster: FakeKube, attempt: Attempt) -> Attempt:
    """An attempt whose Job was made."""
    reconcile(attempt.workload_id, cluster)
    attempt.refresh_from_db()
    return attempt


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was hinted, instead of a broker."""
    told: list[str] = []
    for module in ("workloads.controller.loop", "workloads.sweeps"):
        monkeypatch.setattr(f"{module}.hint", lambda task, *args: told.append(args[0]))
    return told
