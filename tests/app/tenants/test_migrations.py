"""An installation from before the ledger keeps its limits, and what runs is charged to them."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = [("tenants", "0001_initial"), ("workloads", "0008_log_retention")]
AFTER = [("tenants", "0003_limits_are_rows"), ("workloads", "0009_attempts_hold_by_type")]


def migrated(targets: list[tuple[str, str]]) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


@pytest.fixture
def before(db: None) -> Iterator[Any]:
    """The models as they were; the tables are as they must be when the test ends."""
    yield migrated(BEFORE)
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_limits_become_rows_and_what_runs_is_charged_to_them(before: Any) -> None:
    tenant = before.get_model("tenants", "Tenant").objects.create(
        slug="vision", name="Vision", cpu_limit_millicores=2_000, memory_limit_mib=4_096, gpu_limit=1, pods_limit=20
    )
    owner = before.get_model("core", "User").objects.create(username="ada")
    sizes = {"cpu_millicores": 500, "memory_mib": 1_024, "gpus": 2}
    for n, released_at in enumerate((None, timezone.now()), start=1):
        workload = before.get_model("workloads", "Workload").objects.create(
            tenant=tenant, owner=owner, name="w", kind="job", spec={}, spec_digest="d", kube_name=f"w-{n}", **sizes
        )
        before.get_model("workloads", "Attempt").objects.create(
            id=uuid.uuid4(),
            workload=workload,
            tenant=tenant,
            n=1,
            object_name=f"w-{n}-1",
            released_at=released_at,
            **sizes,
        )
    after = migrated(AFTER)
    rows = after.get_model("tenants", "QuotaLine").objects.filter(tenant_id=tenant.pk)
    assert {row[0]: row[1:] for row in rows.values_list("type__key", "nominal", "used", "overhang")} == {
        "cpu_millicores": (2_000, 500, 0),
        "memory_mib": (4_096, 1_024, 0),
        "gpus": (1, 2, 1),
        "pods": (20, 1, 0),
    }
    attempts = after.get_model("workloads", "Attempt").objects.order_by("object_name")
    assert [(attempt.settled, attempt.holds) for attempt in attempts] == [
        (False, {**sizes, "pods": 1}),
        (True, {**sizes, "pods": 1}),
    ]
