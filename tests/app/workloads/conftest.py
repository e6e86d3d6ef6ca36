"""Workloads that were admitted, and the in-memory cluster they run on."""

from collections.abc import Callable

import pytest
from django.db import connection

from portal.core.models import User
from portal.kube.fake import FakeKube
from tenants.models import Tenant
from tests.app.workloads.watched import Watched
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile


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
    monkeypatch.setattr("workloads.sweeps.backlog", lambda: 0)  # other tests leave tasks that no worker takes
    return told


@pytest.fixture
def plan_row_by_row(db: None) -> Callable[[], None]:
    """Have the database look subqueries up for each row until the test ends, as its statistics may make it choose."""

    def plan() -> None:
        with connection.cursor() as cursor:
            for choice in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
                cursor.execute(f"SET LOCAL enable_{choice} = off")

    return plan
