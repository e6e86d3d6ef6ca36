"""One tick of the queue: read a snapshot, plan purely, write in one short transaction that checks everything again.

A plan that has grown old changes nothing: under the locks of the tenants the same plan is made again for its admitted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import DateTimeField, Exists, F, Func, OuterRef, Q, Sum

from gpu.models import Node
from portal.core.hints import hint
from portal.core.leases import Held, fence
from portal.core.models import ClusterStatus
from tenants.models import Tenant
from workloads import tasks
from workloads.models import Attempt, Workload
from workloads.queue import Amount, ClusterView, NodeView, Plan, Snapshot, TenantView, Wait, Waiting, plan
from workloads.specs import Desired, Reason, State
from workloads.transitions import Change, apply_changes

QUEUE = "queue"
MOST_ADMITTED = 200
MOST_REASONS = 1_000
STALE_AFTER = timedelta(seconds=10)

_AMOUNTS = ("cpu_millicores", "memory_mib", "gpus")
_QUEUED = Q(state=State.QUEUED, desired=Desired.RUN)


@dataclass(frozen=True, slots=True)
class _Row:
    """A queued workload as it was read."""

    item: Waiting
    kube_name: str
    attempts_made: int
    reason: str
    params: dict[str, Any]


def tick(held: Held, *, now: datetime | None = None) -> int:
    """Admit what fits and say of the others why they wait; return how many were admitted (at most 200).

    A constant number of statements. `now` stands for the database's clock in judging staleness. Hints a reconcile for
    each admitted. Raises LeaseLost, and then has written nothing.
    """
    rows = _waiting(Workload.objects.filter(_QUEUED))
    if not rows:
        return 0
    snapshot = _snapshot(rows, now)
    made = plan(snapshot)
    reasons = _new_reasons(rows, made)
    if not made.admit and not reasons:
        return 0
    with transaction.atomic():
        fence(held)
        admitted = _admit(snapshot, made.admit[:MOST_ADMITTED])
        apply_changes([*(_starting(row) for row in admitted), *reasons])
    return len(admitted)


def preview(tenant: Tenant, asks: Amount, *, now: datetime | None = None) -> Wait | None:
    """Return why a request would wait if it were submitted now, last in the queue; None if it would start.

    Five statements, and nothing is written.
    """
    asked = _Row(Waiting(uuid4(), tenant.pk, asks), "", 0, "", {})
    snapshot = _snapshot([*_waiting(Workload.objects.filter(_QUEUED)), asked], now)
    return plan(snapshot).wait.get(asked.item.id)


def _waiting(queryset: Any) -> list[_Row]:
    unreleased = Attempt.objects.filter(workload=OuterRef("pk"), released_at__isnull=True)
    columns = ("id", "tenant_id", *_AMOUNTS, "blocked", "kube_name", "attempts_made", "reason_code", "reason_params")
    found = queryset.annotate(blocked=Exists(unreleased)).order_by("created", "id").values_list(*columns)
    return [_Row(Waiting(row[0], row[1], Amount(row[2], row[3], row[4], 1), row[5]), *row[6:]) for row in found]


def _snapshot(rows: Sequence[_Row], now: datetime | None) -> Snapshot:
    cluster, since = _cluster(now)
    by_tenant = _held()
    tenants = Tenant.objects.filter(pk__in={row.item.tenant_id for row in rows})
    offers = Node.objects.values_list(*_AMOUNTS, "pods", "ready", "unschedulable")
    return Snapshot(
        cluster=cluster,
        tenants=_tenant_views(tenants, by_tenant),
        nodes=[NodeView(Amount(*offer[:4]), offer[4] and not offer[5]) for offer in offers],
        waiting=[row.item for row in rows],
        held=_sum(by_tenant.values()),
        stale_since=since,
    )


def _cluster(now: datetime | None) -> tuple[ClusterView, str]:
    clock = Func(function="clock_timestamp", output_field=DateTimeField())
    row = ClusterStatus.objects.annotate(clock=clock).values_list("reachable_at", "synced_at", "clock").first()
    if row is None or row[0] is None or row[1] is None:
        return ClusterView.ABSENT, ""
    heard = min(row[0], row[1])
    if (now or row[2]) - heard > STALE_AFTER:
        return ClusterView.STALE, heard.isoformat(timespec="seconds")
    return ClusterView.KNOWN, ""


def _held() -> dict[UUID, Amount]:
    sums = [Sum(name) for name in (*_AMOUNTS, "pods")]
    rows = Attempt.objects.filter(released_at__isnull=True).values_list("tenant_id").annotate(*sums)
    return {tenant_id: Amount(*map(int, amounts)) for tenant_id, *amounts in rows}


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = Amount()
    for amount in amounts:
        total = total.plus(amount)
    return total


def _tenant_views(tenants: Iterable[Tenant], by_tenant: dict[UUID, Amount]) -> dict[UUID, TenantView]:
    return {
        tenant.pk: TenantView(
            ready=tenant.status == Tenant.Status.READY,
            limits=Amount(tenant.cpu_limit_millicores, tenant.memory_limit_mib, tenant.gpu_limit, tenant.pods_limit),
            held=by_tenant.get(tenant.pk, Amount()),
        )
        for tenant in tenants
    }


def _new_reasons(rows: Sequence[_Row], made: Plan) -> list[Change]:
    """Return the reasons that differ from what the rows say, the first in the queue first."""
    changes = []
    for row in rows:
        wait = made.wait.get(row.item.id)
        if wait is not None and (row.reason, row.params) != (wait.reason, wait.params):
            changes.append(Change(workload_id=row.item.id, state=State.QUEUED, reason=wait.reason, params=wait.params))
    return changes[:MOST_REASONS]


def _admit(snapshot: Snapshot, candidates: Sequence[UUID]) -> list[_Row]:
    """Write an attempt for each candidate that still waits and still fits; return these.

    Locks the tenants, then the workloads.
    """
    if not candidates:
        return []
    locked = Tenant.objects.filter(pk__in=snapshot.tenants).order_by("pk").select_for_update(no_key=True)
    tenants = list(locked)
    by_tenant = _held()
    _lock_workloads(candidates)
    rows = {row.item.id: row for row in _waiting(Workload.objects.filter(_QUEUED, pk__in=candidates))}
    again = replace(
        snapshot,
        tenants=_tenant_views(tenants, by_tenant),
        held=_sum(by_tenant.values()),
        waiting=[row.item for row in rows.values()],
    )
    admitted = [rows[workload_id] for workload_id in plan(again).admit]
    _write_attempts(admitted)
    return admitted


def _lock_workloads(candidates: Sequence[UUID]) -> None:
    """Keep a cancel from coming between the check and the write; in the order of ids, as every writer of many rows."""
    locked = Workload.objects.filter(pk__in=candidates).order_by("pk").select_for_update(no_key=True)
    list(locked.values_list("pk"))


def _write_attempts(admitted: Sequence[_Row]) -> None:
    if not admitted:
        return
    Attempt.objects.bulk_create(_attempt(row) for row in admitted)
    ids = [row.item.id for row in admitted]
    Workload.objects.filter(pk__in=ids).update(attempts_made=F("attempts_made") + 1)
    for workload_id in ids:
        hint(tasks.reconcile_workload, str(workload_id))


def _attempt(row: _Row) -> Attempt:
    n = row.attempts_made + 1
    return Attempt(
        workload_id=row.item.id,
        tenant_id=row.item.tenant_id,
        n=n,
        object_name=f"{row.kube_name}-{n}",
        cpu_millicores=row.item.asks.cpu_millicores,
        memory_mib=row.item.asks.memory_mib,
        gpus=row.item.asks.gpus,
        pods=row.item.asks.pods,
    )


def _starting(row: _Row) -> Change:
    return Change(
        workload_id=row.item.id, state=State.STARTING, reason=Reason.CREATING, attempt_n=row.attempts_made + 1
    )
