"""Reads for pages: lists, one workload with its parts, what tenants hold. Each says what it costs in SQL.

Everything goes through visible_to(); a missing and a foreign id raise the same NotVisible.
"""

import datetime as dt
import re
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    Count,
    DurationField,
    F,
    JSONField,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Concat, Lower

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import Tenant
from tenants.roles import GRANTS, memberships_of
from tenants.selectors import tenant_get
from tenants.specs import Priority
from workloads.keyset import Cursor as Cursor
from workloads.keyset import Page as Page
from workloads.keyset import Walk
from workloads.keyset import cursor_of as cursor_of
from workloads.models import Attempt, Pod, Workload, WorkloadEvent
from workloads.specs import ACTIVE, MOST_CLUSTER_EVENTS, State

PAGE_SIZE = 50
MOST_EVENTS = 200
MOST_PODS = 500
MOST_ROWS_ASKED = 100
MOST_TENANTS = 200
SEARCH_STRETCH = 5_000  # rows that one search reads at most
_KUBE_NAME = re.compile(r"w-[a-z2-7]{10}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list shows; every field narrows it, the defaults show all."""

    mine: bool = False
    active: bool = False
    state: str = ""
    tenant: str = ""
    text: str = ""
    kind: str = ""
    priority: str = ""
    owner: str = ""  # a user name
    created_from: dt.datetime | None = None
    created_until: dt.datetime | None = None  # the first moment that is too late
    template_id: uuid.UUID | None = None  # what it came of


# What a row of a list shows: the rest of a workload, its tenant and its owner is more than half of what is read.
_LISTED = (
    "tenant__slug",
    "owner__username",
    *("name", "kind", "image", "template", "state", "reason_code", "reason_params", "version", "exit_code"),
    *("created", "started_at", "ended_at", "attempts_made", "cpu_millicores", "memory_mib", "gpus", "extra"),
    "priority_rank",
)


def workload_list(
    *,
    user: User,
    filters: Filters,
    cursor: Cursor | None = None,
    limit: int = PAGE_SIZE,
    oldest_first: bool = False,
) -> Page:
    """Return one page of the workloads that the user may see, newest first unless told otherwise; of each what lists
    show, which leaves out the spec.

    One statement whatever the number of rows. A search reads the row at which its stretch ends as well, so that the
    place where it goes on is known even when nothing fits.
    """
    walk = Walk(cursor, limit, oldest_first)
    rows = walk.placed(_scope(user, filters)).only(*_LISTED)
    if not filters.text or _exact(filters.text):
        return walk.page(list(rows.filter(_matches(filters.text))[: limit + 1]))
    stretch_end = walk.stretch_end(walk.placed(_scope(user, filters)), SEARCH_STRETCH)
    wanted = _matches(filters.text)
    fits = Case(When(wanted, then=Value(True)), default=Value(False))
    searched = rows.annotate(stretch_end=Subquery(stretch_end), fits=fits).filter(walk.within("stretch_end"))
    taken = list(searched.filter(wanted | Q(created=F("stretch_end")))[: limit + 1])
    found = [row for row in taken if row.fits]
    page = walk.page(found)
    end = taken[0].stretch_end if taken else None
    return page if end is None or len(found) > limit else walk.cut_short(page, end)


def workload_rows(*, user: User, ids: Collection[uuid.UUID], filters: Filters) -> list[Workload]:
    """Return those of some workloads that the user may see, newest first; `fits` tells whether a list that is narrowed
    by `filters` has it. One statement.
    """
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner").filter(pk__in=list(ids))
    wanted = _wanted(user, filters)
    fits = Case(When(wanted, then=Value(True)), default=Value(False)) if wanted else Value(True)
    return list(rows.annotate(fits=fits).order_by("-created", "-id")[:MOST_ROWS_ASKED])


def workload_get(*, user: User, workload_id: uuid.UUID) -> Workload:
    """Return a workload with its tenant, owner and parent; raises NotVisible if missing or foreign. One statement."""
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner", "parent")
    found = rows.filter(pk=workload_id).first()
    if found is None:
        raise NotVisible
    return found


def attempts_of(workload: Workload) -> list[Attempt]:
    """Return a workload's attempts, newest first. One statement."""
    return list(workload.attempts.order_by("-n"))


def attempt_chosen(attempts: Sequence[Attempt], asked: str) -> Attempt | None:
    """Return the attempt of that number, the newest without one; raises NotVisible for one that never was."""
    if not asked:
        return next(iter(attempts), None)
    found = next((attempt for attempt in attempts if str(attempt.n) == asked), None)
    if found is None:
        raise NotVisible
    return found


def counted_attempts_of(workload: Workload) -> tuple[list[Attempt], int]:
    """Return a workload's attempts, newest first, and how many pods they had together. One statement."""
    rows = workload.attempts.annotate(pod_count=Count("pod_rows")).order_by("-n")
    counted = [(row, row.pod_count) for row in rows]
    return [row for row, _count in counted], sum(count for _row, count in counted)


def events_of(workload: Workload) -> list[WorkloadEvent]:
    """Return a workload's latest events with their actors, newest first. One statement."""
    return list(workload.events.select_related("actor").order_by("-id")[:MOST_EVENTS])


class EventRow(NamedTuple):
    """An event of Berth (with a state) or of Kubernetes (with none; then `reason` is its word)."""

    last_seen: dt.datetime
    first_seen: dt.datetime
    times: int
    attempt_n: int | None
    state: str
    reason: str
    params: dict[str, Any]
    told_by: str | None
    message: str
    about: str
    warning: bool


def all_events_of(workload: Workload) -> list[EventRow]:
    """Return the latest events of a workload, Berth's and Kubernetes', newest first. One statement."""
    once, empty, never = Value(1), Value("", output_field=TextField()), Value(value=False)
    own = workload.events.order_by("-id").values_list(
        "time", F("time"), once, "attempt_n", "state", "reason_code", "reason_params", "actor__username", empty, empty,
        never,
    )[:MOST_EVENTS]  # fmt: skip
    about = Concat(Lower("kind"), Value("/"), "name", output_field=TextField())
    nothing = Value({}, output_field=JSONField())
    reported = workload.cluster_events.order_by("-last_seen", "-id").values_list(
        "last_seen", "first_seen", "count", "attempt_n", empty, "reason", nothing, "source", "message", about, "warning"
    )[:MOST_CLUSTER_EVENTS]
    rows = [EventRow(*row) for row in own.union(reported, all=True)]
    return sorted(rows, key=lambda row: row.last_seen, reverse=True)


def pods_of(workload: Workload) -> list[Pod]:
    """Return the pods of all attempts, newest attempt first. One statement."""
    rows = Pod.objects.filter(attempt__workload=workload).select_related("attempt")
    return list(rows.order_by("-attempt__n", "index", "created_at")[:MOST_PODS])


def submit_tenants(*, user: User) -> list[Tenant]:
    """Return the tenants that the user may submit to, by slug. One statement, or none where roles are known."""
    if user.is_platform_admin:
        return list(Tenant.objects.visible_to(user).order_by("slug")[:MOST_TENANTS])
    return [found.tenant for found in memberships_of(user) if Action.WORKLOAD_SUBMIT in GRANTS[found.role]]


def may_submit_somewhere(user: User) -> bool:
    """Tell whether there can be a tenant that the user may submit to. No statement where roles are known."""
    return user.is_platform_admin or bool(submit_tenants(user=user))


def submit_tenant(*, user: User, slug: str = "") -> Tenant | None:
    """Return the tenant that a URL names, else the first that the user may submit to, else None.

    A slug of a missing or foreign tenant raises NotVisible, one where the role forbids it Denied.
    """
    if not slug:
        return next(iter(submit_tenants(user=user)), None)
    tenant = tenant_get(user=user, slug=slug)
    policy.require(user, Action.WORKLOAD_SUBMIT, tenant)
    return tenant


# A subplan that is run only for rows that wait, over a bounded stretch of the index by tenant and time.
_USUAL_WAIT = """(
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.started_at - recent.created)
FROM (SELECT started_at, created, attempts_made FROM workloads_workload AS w
      WHERE w.tenant_id = workloads_workload.tenant_id ORDER BY w.created DESC, w.id DESC LIMIT 200) AS recent
WHERE recent.started_at IS NOT NULL AND recent.attempts_made = 1)"""


def work_of(*, user: User, ended_since: dt.datetime, limit: int = 30) -> list[Workload]:
    """Return the user's own active workloads and those that ended since a moment, newest first. One statement.

    Those that wait carry `usual_wait`: the median time from submission to start of the tenant's newest 200 workloads,
    of those that started at their first attempt; None where there is none.
    """
    median = RawSQL(_USUAL_WAIT, [], output_field=DurationField())  # noqa: S611 (no parameter, nothing of a request)
    waits = Q(state__in=[State.QUEUED.value, State.STARTING.value])
    shown = Q(state__in=[state.value for state in ACTIVE]) | Q(ended_at__gte=ended_since)
    rows = Workload.objects.visible_to(user).filter(owner=user).filter(shown).select_related("tenant", "owner")
    rows = rows.defer("spec").annotate(usual_wait=Case(When(waits, then=median), output_field=DurationField()))
    return list(rows.order_by("-created", "-id")[:limit])


def _scope(user: User, filters: Filters) -> QuerySet[Workload]:
    """Return the user's workloads that fit all filters but the text; tenants as literal ids, which an index can use."""
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner").filter(_narrowed(user, filters))
    if user.is_platform_admin or user.is_auditor:
        return rows
    return rows.filter(tenant_id__in=[found.tenant_id for found in memberships_of(user)])


def _wanted(user: User, filters: Filters) -> Q:
    return _narrowed(user, filters) & _matches(filters.text)


def _narrowed(user: User, filters: Filters) -> Q:
    wanted = Q(owner=user) if filters.mine else Q()
    if filters.active and not filters.state:
        wanted &= Q(state__in=[state.value for state in ACTIVE])
    if filters.tenant:
        wanted &= Q(tenant_id=Subquery(Tenant.objects.filter(slug=filters.tenant).values("pk")[:1]))
    if filters.owner:
        wanted &= Q(owner_id=_person_named(filters.owner))
    if filters.priority:
        wanted &= Q(priority_rank=Priority(filters.priority).rank)
    plain = {
        "state": filters.state,
        "kind": filters.kind,
        "made_from_id": filters.template_id,
        "created__gte": filters.created_from,
        "created__lt": filters.created_until,
    }
    return wanted & Q(**{lookup: value for lookup, value in plain.items() if value})


def _person_named(username: str) -> Subquery:
    named = User.objects.annotate(lower_name=Lower("username")).filter(lower_name=username.lower())
    return Subquery(named.values("pk")[:1])


def _matches(text: str) -> Q:
    if not text:
        return Q()
    found = Q(name__icontains=text) | Q(image__icontains=text) | Q(owner_id=_person_named(text))
    return _exact(text) or found


def _exact(text: str) -> Q | None:
    """Return the condition for a text that names one workload: its id, or its name in the cluster."""
    if _KUBE_NAME.fullmatch(text):
        return Q(kube_name=text)
    try:
        return Q(pk=uuid.UUID(text))
    except ValueError:
        return None
