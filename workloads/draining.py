"""Stops work of a tenant that holds more than it may: it goes back to the queue, and its attempt ends as drained.

What it holds is free when its pods are gone, as ever; until then the ledger keeps it as overhang.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from portal.core import audit
from portal.core.hints import hint
from portal.core.models import AuditEntry, User
from tenants.drains import Beyond, Victim
from workloads import tasks
from workloads.models import Attempt, Workload
from workloads.specs import Desired, EndState, Reason, State
from workloads.transitions import Change, apply_changes
from workloads.victims import Running, victims_of

_STOPPABLE = (State.STARTING.value, State.RUNNING.value)


def victims(beyond: Beyond) -> list[Victim]:
    """Return what would be stopped, tenant by tenant; what is ending anyway counts as gone. One statement."""
    rows = Attempt.objects.filter(tenant__in=list(beyond), settled=False).select_related("workload", "workload__owner")
    going: defaultdict[UUID, Counter[str]] = defaultdict(Counter)
    running: defaultdict[UUID, list[Running]] = defaultdict(list)
    known: dict[UUID, Victim] = {}
    for row in rows.defer("workload__spec"):
        work = row.workload
        if row.ended_at is not None or work.desired != Desired.RUN or work.state not in _STOPPABLE:
            going[row.tenant_id].update(row.holds)
            continue
        running[row.tenant_id].append(Running(work.pk, work.priority, row.created, row.holds))
        known[work.pk] = Victim(work.pk, work.name, work.owner.get_username(), row.tenant_id)
    return [
        known[found]
        for tenant_id, excess in beyond.items()
        for found in victims_of(
            running[tenant_id], {key: amount - going[tenant_id][key] for key, amount in excess.items()}
        )
    ]


def stop(actor: User, chosen: Sequence[Victim]) -> None:
    """Send work back to the queue. In a transaction that has locked its tenants; the cluster follows by hints."""
    ids = sorted(victim.id for victim in chosen)
    locked = {row.pk: row for row in Workload.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)}
    left = [row for row in locked.values() if row.state in _STOPPABLE and row.desired == Desired.RUN]
    params = {"user": actor.get_username()}
    Attempt.objects.filter(workload__in=[row.pk for row in left], ended_at__isnull=True).update(
        ended_at=Now(), end_state=EndState.CANCELLED, reason_code=Reason.DRAINED, reason_params=params
    )
    # a worker that makes its objects just now sees that the wish has changed
    Workload.objects.filter(pk__in=[row.pk for row in left]).update(generation=F("generation") + 1)
    apply_changes([_change(actor, row) for row in left])
    audit.record_all(_entry(actor, row) for row in left)
    for row in left:
        hint(tasks.reconcile_workload, str(row.pk))


def _entry(actor: User, row: Workload) -> AuditEntry:
    before, after = {"state": row.state}, {"state": State.QUEUED.value, "name": row.name}
    return audit.entry(
        actor=actor, action="workload.drain", target=row, tenant_id=row.tenant_id, before=before, after=after
    )


def _change(actor: User, row: Workload) -> Change:
    return Change(
        workload_id=row.pk,
        state=State.QUEUED,
        reason=Reason.DRAINED,
        params={"user": actor.get_username()},
        attempt_n=row.attempts_made,
        actor_id=actor.pk,
    )
