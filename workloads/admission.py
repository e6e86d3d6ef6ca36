"""One tick of the queue: read a snapshot, plan purely, write in one short transaction that checks everything again.

A plan that has grown old changes nothing: under the locks of the tenants the same plan is made again for its admitted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Exists, F, Func, OuterRef, Q

from gpu.selectors import node_offers
from portal.core import failpoints
from portal.core.hints import hint
from portal.core.leases import Held, fence
from portal.core.models import ClusterStatus
from portal.core.transactions import retried
from tenants import quotas
from tenants.ledger import Bounds
from tenants.models import Cohort, Tenant
from tenants.specs import Priority
from workloads import holdings, settling, sharebook, tasks
from workloads.asks import ASKED_COLUMNS, asked_by, classes_in
from workloads.extras import words_of
from workloads.models import Attempt, Workload
from workloads.queue import ClusterView, NodeView, Plan, Snapshot, Wait, Waiting, plan
from workloads.specs import Desired, Reason, State
from workloads.transitions import Change, apply_changes

QUEUE = "queue"
_NO_EXTRA: Mapping[str, Mapping[str, Any]] = {}
MOST_ADMITTED = 200
MOST_REASONS = 1_000
STALE_AFTER = timedelta(seconds=10)

_QUEUED = Q(state=State.QUEUED, desired=Desired.RUN)


@dataclass(frozen=True, slots=True)
class _Row:
    """A queued workload as it was read."""

    item: Waiting
    kube_name: str
    attempts_made: int
    reason: str
    params: dict[str, Any]
    extra: Mapping[str, Mapping[str, Any]]


@retried
def tick(held: Held, *, now: datetime | None = None) -> int:
    """Admit what fits and say of the others why they wait; return how many were admitted (at most 200).

    A constant number of statements, two more where a tenant bounds shares or how many run. `now` stands for the
    database's clock in judging staleness. Hints a reconcile for each admitted. Raises LeaseLost, and then has written
    nothing.
    """
    settling.settle(held)
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
        admitted, waiting = _admit(snapshot, made.admit[:MOST_ADMITTED], [change.workload_id for change in reasons])
        still = [change for change in reasons if change.workload_id in waiting]
        apply_changes([*(_starting(row) for row in admitted), *still])
        failpoints.hit("admission.before_commit")
    failpoints.hit("admission.after_commit")
    return len(admitted)


def preview(
    asked: Waiting, extra: Mapping[str, Mapping[str, Any]] = _NO_EXTRA, *, now: datetime | None = None
) -> Wait | None:
    """Return why a request would wait if it were submitted now, the last of its priority; None if it would start.

    `extra` is what its row would keep of resource types beyond the built-in ones.

    Six statements, eight where a tenant is in a cohort, and one more with shares; nothing is written.
    """
    rows = [*_waiting(Workload.objects.filter(_QUEUED)), _Row(asked, "", 0, "", {}, extra)]
    rows.sort(key=lambda row: row.item.priority.rank)  # within one the order stays
    return plan(_snapshot(rows, now)).wait.get(asked.id)


def plans_under(bounds: Mapping[tuple[UUID, str], Bounds]) -> tuple[Plan, Plan]:
    """Return the plan for all that waits, as the ledger is and as it were under these bounds by tenant and type.

    Nine statements at most; nothing is written.
    """
    snapshot = _snapshot(_waiting(Workload.objects.filter(_QUEUED)), None)
    changed = {tenant_id for tenant_id, _key in bounds}
    known = {item.tenant_id for item in snapshot.waiting}
    book = quotas.book_of(Tenant.objects.filter(pk__in=changed | known))
    then = book.copy()
    for (tenant_id, key), new in bounds.items():
        then.rebound(tenant_id, key, new, keep=True)
    return plan(replace(snapshot, book=book)), plan(replace(snapshot, book=then))


def _waiting(queryset: Any) -> list[_Row]:
    unreleased = Attempt.objects.filter(workload=OuterRef("pk"), released_at__isnull=True)
    columns = (
        "id",
        "tenant_id",
        *ASKED_COLUMNS,
        "blocked",
        "owner_id",
        "priority_rank",
        "kube_name",
        "attempts_made",
        "reason_code",
        "reason_params",
    )
    found = (
        queryset.annotate(blocked=Exists(unreleased)).order_by("priority_rank", "created", "id").values_list(*columns)
    )
    priorities = list(Priority)
    return [
        _Row(
            Waiting(
                workload_id, tenant_id, asked_by(*asked), blocked, classes_in(asked[-1]), owner_id, priorities[rank]
            ),
            kube_name,
            made,
            reason,
            params,
            asked[-1],
        )
        for workload_id, tenant_id, *asked, blocked, owner_id, rank, kube_name, made, reason, params in found
    ]


def _snapshot(rows: Sequence[_Row], now: datetime | None) -> Snapshot:
    cluster, since = _cluster(now)
    tenants = list(Tenant.objects.filter(pk__in={row.item.tenant_id for row in rows}))
    cohorts = {tenant.cohort_id for tenant in tenants if tenant.cohort_id is not None}
    extra = {key: asked for row in rows for key, asked in row.extra.items()}
    names = {key: str(asked["kube_name"]) for key, asked in extra.items() if not asked.get("product")}
    products = {key: str(asked["product"]) for key, asked in extra.items() if asked.get("product")}
    return Snapshot(
        cluster=cluster,
        ready=_ready(tenants),
        book=quotas.book_of(tenants),
        nodes=[NodeView(offers, usable) for offers, usable in node_offers(names, products)],
        waiting=[row.item for row in rows],
        held=holdings.held_by_all(),
        cohort_names=dict(Cohort.objects.filter(pk__in=cohorts).values_list("pk", "name")) if cohorts else {},
        stale_since=since,
        words=words_of(extra),
        shares=sharebook.shares_of(tenants),
    )


def _ready(tenants: Iterable[Tenant]) -> frozenset[UUID]:
    return frozenset(tenant.pk for tenant in tenants if tenant.status == Tenant.Status.READY)


def _cluster(now: datetime | None) -> tuple[ClusterView, str]:
    clock = Func(function="clock_timestamp", output_field=DateTimeField())
    row = ClusterStatus.objects.annotate(clock=clock).values_list("reachable_at", "synced_at", "clock").first()
    if row is None or row[0] is None or row[1] is None:
        return ClusterView.ABSENT, ""
    heard = min(row[0], row[1])
    if (now or row[2]) - heard > STALE_AFTER:
        return ClusterView.STALE, heard.isoformat(timespec="seconds")
    return ClusterView.KNOWN, ""


def _new_reasons(rows: Sequence[_Row], made: Plan) -> list[Change]:
    """Return the reasons that differ from what the rows say, the first in the queue first."""
    changes = []
    for row in rows:
        wait = made.wait.get(row.item.id)
        if wait is not None and (row.reason, row.params) != (wait.reason, wait.params):
            changes.append(Change(workload_id=row.item.id, state=State.QUEUED, reason=wait.reason, params=wait.params))
    return changes[:MOST_REASONS]


def _admit(snapshot: Snapshot, candidates: Sequence[UUID], others: Sequence[UUID]) -> tuple[list[_Row], set[UUID]]:
    """Write an attempt for each candidate that still waits and still fits, charged to its tenant; return these.

    Locks the tenants and the pools of their cohorts, then these workloads and the others that the caller writes to:
    whoever locks rows twice in one transaction may meet somebody halfway. The second item is who of all still waits.
    """
    if not candidates:
        return [], _lock_waiting(others)
    chosen = set(candidates)
    tenants = quotas.tenants_locked({item.tenant_id for item in snapshot.waiting if item.id in chosen})
    book = quotas.book_of(tenants, lock=True)
    waiting = _lock_waiting([*candidates, *others])
    rows = {row.item.id: row for row in _waiting(Workload.objects.filter(_QUEUED, pk__in=candidates))}
    again = replace(
        snapshot,
        ready=_ready(tenants),
        book=book,
        shares=sharebook.shares_of(tenants),
        held=holdings.held_by_all(),
        waiting=[row.item for row in rows.values()],
    )
    made = plan(again)
    admitted = [replace(rows[workload_id], item=made.admitted[workload_id]) for workload_id in made.admit]
    for row in admitted:
        book.charge(row.item.tenant_id, row.item.asks)
    quotas.book_write(book)
    _write_attempts(admitted)
    return admitted, waiting


def _lock_waiting(ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these wait still: cancelled ones and what another queue admitted are not to be written to.

    Nobody comes between this check and the write. In the order of ids, as every writer of many rows.
    """
    locked = Workload.objects.filter(_QUEUED, pk__in=ids).order_by("pk").select_for_update(no_key=True)
    return set(locked.values_list("pk", flat=True))


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
        holds=dict(row.item.asks),
    )


def _starting(row: _Row) -> Change:
    return Change(
        workload_id=row.item.id, state=State.STARTING, reason=Reason.CREATING, attempt_n=row.attempts_made + 1
    )
