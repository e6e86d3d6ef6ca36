"""Recomputes the quota ledger from what attempts hold, and says every difference; 0 is how it must be.

A difference means a fault or a change by hand: it is said and never put right in silence, only by `repair`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models.functions import Now

from portal.core import audit
from portal.core.hints import wake
from portal.core.transactions import retried
from portal.kube.quantity import parse_quantity
from portal.kube.types import Pod
from tenants.ledger import Line, line_faults, pool_faults, pool_of
from tenants.models import Cohort, LedgerCheck, PoolLine, QuotaLine, ResourceType, Tenant
from tenants.quotas import book_of, book_write, rows_ensured, tenants_locked
from tenants.specs import FACTORS, PODS, QUEUE_WAKE, Unit
from workloads.manifests import UID_ANNOTATION
from workloads.models import Attempt

MOST_KEPT = 200
MOST_LOGGED = 20
log = structlog.get_logger(__name__)

_HELD = """
SELECT a.tenant_id, e.key, SUM(e.value::bigint)
FROM workloads_attempt a CROSS JOIN LATERAL jsonb_each_text(a.holds) AS e
WHERE NOT a.settled GROUP BY a.tenant_id, e.key
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a row says and that is not so: whose row, of which type, which column, both numbers."""

    owner: str
    key: str
    what: str
    said: int
    counted: int


def check() -> list[Difference]:
    """Look for differences in one state of the database, and keep what was found for people to see; return all.

    Admission and release may write meanwhile. Not to be called inside a transaction. At most 200 are kept.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        found = differences()
    kept = [asdict(fault) for fault in found[:MOST_KEPT]]
    LedgerCheck.objects.update_or_create(id=1, defaults={"checked_at": Now(), "differences": kept})
    for fault in found[:MOST_LOGGED]:
        log.error("ledger_differs", **asdict(fault))
    return found


@retried
def repair() -> list[Difference]:
    """Make the rows say what is held, under the locks of all tenants; return what differed before.

    Admission and release wait meanwhile. What differed, at most 200 of it, goes into the audit trail; the namespaces of
    tenants whose overhang moved follow. Not to be called inside a transaction.
    """
    with transaction.atomic():
        tenants = tenants_locked(list(Tenant.objects.values_list("pk", flat=True)))
        found, held = differences(), _held()
        if not found:
            return []
        rows_ensured(tenants, held.keys())
        book = book_of(tenants, lock=True, cohort_ids=list(Cohort.objects.values_list("pk", flat=True)))
        book.recount(held)
        book_write(book)
        told = {"differences": [asdict(fault) for fault in found[:MOST_KEPT]]}
        audit.record(actor=None, action="ledger.repair", target=LedgerCheck(id=1), before=told)
        wake(QUEUE_WAKE)
    return found


def differences() -> list[Difference]:
    """Return where the ledger's rows differ from what unsettled attempts hold. Three statements.

    In a transaction that sees one state of them all (see `check`).
    """
    held = _held()
    lines = list(QuotaLine.objects.select_related("tenant", "type").order_by("tenant__slug", "type__position"))
    found = [fault for row in lines for fault in _line_differences(row, held)]
    known = {(row.tenant_id, row.type.key) for row in lines}
    found += [
        Difference(str(owner), key, "line", 0, amount)
        for (owner, key), amount in held.items()
        if (owner, key) not in known
    ]
    members: dict[tuple[UUID, str], list[Line]] = defaultdict(list)
    for row in lines:
        if row.tenant.cohort_id is not None:
            members[row.tenant.cohort_id, row.type.key].append(row.line)
    pools = PoolLine.objects.select_related("cohort", "type").order_by("cohort__name", "type__position")
    return found + [fault for row in pools for fault in _pool_differences(row, members)]


def cluster_differences(pods: Iterable[Pod]) -> list[Difference]:
    """Return what live pods of ours ask for beyond what the ledger says is used. Three statements.

    Less is no fault: quota is held before the first pod exists and until the last is gone. A pod of an attempt that has
    given its quota back is one, though.
    """
    live = [pod for pod in pods if pod.status.phase not in ("Succeeded", "Failed")]
    attempts = {uid for pod in live if (uid := _uuid(pod.metadata.annotations.get(UID_ANNOTATION, "")))}
    settled = set(Attempt.objects.filter(pk__in=attempts, settled=True).values_list("pk", flat=True))
    types = {found.kube_name: found for found in ResourceType.objects.exclude(quota_key="")}
    asked: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for pod in live:
        if _uuid(pod.metadata.annotations.get(UID_ANNOTATION, "")) in settled:
            found.append(Difference(pod.metadata.namespace or "", pod.metadata.name, "pod of a settled attempt", 0, 1))
        for key, amount in _asked_by(pod, types).items():
            asked[pod.metadata.namespace or "", key] += amount
    lines = QuotaLine.objects.select_related("tenant", "type")
    used = {(row.tenant.namespace, row.type.key): row.used for row in lines}
    above = [
        (owner, key, amount) for (owner, key), amount in sorted(asked.items()) if amount > used.get((owner, key), 0)
    ]
    return found + [
        Difference(owner, key, "cluster", used.get((owner, key), 0), amount) for owner, key, amount in above
    ]


def _asked_by(pod: Pod, types: Mapping[str, ResourceType]) -> dict[str, int]:
    asked: dict[str, int] = {PODS: 1}
    for container in pod.spec.containers:
        for name, text in container.resources.requests.items():
            if name in types:
                key, unit = types[name].key, Unit(types[name].unit)
                asked[key] = asked.get(key, 0) + int(parse_quantity(str(text)) * FACTORS[unit])
    return asked


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _held() -> dict[tuple[UUID, str], int]:
    with connection.cursor() as cursor:
        cursor.execute(_HELD)
        return {(row[0], row[1]): int(row[2]) for row in cursor.fetchall()}


def _line_differences(row: QuotaLine, held: Mapping[tuple[UUID, str], int]) -> list[Difference]:
    counted = held.get((row.tenant_id, row.type.key), 0)
    right = {"used": counted, "overhang": max(0, row.used - row.line.bounds.most)}
    faults = line_faults(row.line, counted)
    return [Difference(row.tenant.slug, row.type.key, name, getattr(row, name), right[name]) for name in faults]


def _pool_differences(row: PoolLine, members: Mapping[tuple[UUID, str], list[Line]]) -> list[Difference]:
    lines = members.get((row.cohort_id, row.type.key), [])
    wanted = pool_of(lines)
    right = {"lendable": wanted.lendable, "used": wanted.used, "overhang": max(0, row.used - row.lendable)}
    faults = pool_faults(row.pool, lines)
    return [Difference(row.cohort.name, row.type.key, name, getattr(row, name), right[name]) for name in faults]
