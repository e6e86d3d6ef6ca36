"""Reads for pages: lists, one workload with its parts, templates, what tenants hold. Each says what it costs in SQL.

Everything goes through visible_to(); a missing and a foreign id raise the same NotVisible.
"""

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, F, Q, QuerySet, Sum, Value, When
from django.utils.dateparse import parse_datetime

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import Tenant
from tenants.roles import GRANTS, memberships_of
from tenants.selectors import tenant_get
from tenants.specs import Limits
from workloads.models import Attempt, Pod, Template, Workload, WorkloadEvent, WorkloadQuerySet
from workloads.specs import ACTIVE

PAGE_SIZE = 50
MOST_EVENTS = 200
MOST_PODS = 500
MOST_ROWS_ASKED = 100
MOST_TENANTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list shows; every field narrows it, the defaults show all."""

    mine: bool = False
    active: bool = False
    state: str = ""
    tenant: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows of a list ordered newest first; `before` asks for the newer side of it."""

    created: dt.datetime
    id: uuid.UUID
    before: bool = False

    def token(self) -> str:
        """Return the cursor as it stands in a URL."""
        return base64.urlsafe_b64encode(f"{self.created.isoformat()} {self.id.hex}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows newest first, and the cursors of the pages before and after where these exist."""

    rows: list[Workload]
    newer: Cursor | None
    older: Cursor | None


def cursor_of(token: str, *, before: bool = False) -> Cursor | None:
    """Read a token from a URL; None for anything that is not one."""
    try:
        moment, _, hexes = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(" ")
        created = parse_datetime(moment)
        if created is None or created.tzinfo is None:
            return None
        return Cursor(created, uuid.UUID(hexes), before)
    except (binascii.Error, UnicodeError, ValueError):
        return None


def workload_list(*, user: User, filters: Filters, cursor: Cursor | None = None, limit: int = PAGE_SIZE) -> Page:
    """Return one page of the workloads that the user may see. One statement whatever the number of rows."""
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner").filter(_wanted(user, filters))
    if cursor is not None and cursor.before:
        found = list(_newer_than(rows, cursor).order_by("created", "id")[: limit + 1])
        shown = found[:limit][::-1]
        return (
            Page(shown, _at(shown[0], before=True) if len(found) > limit else None, _at(shown[-1]))
            if shown
            else (Page([], None, None))
        )
    if cursor is not None:
        rows = _older_than(rows, cursor)
    found = list(rows.order_by("-created", "-id")[: limit + 1])
    shown = found[:limit]
    newer = _at(shown[0], before=True) if shown and cursor is not None else None
    return Page(shown, newer, _at(shown[-1]) if len(found) > limit else None)


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


def events_of(workload: Workload) -> list[WorkloadEvent]:
    """Return a workload's latest events with their actors, newest first. One statement."""
    return list(workload.events.select_related("actor").order_by("-id")[:MOST_EVENTS])


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


def template_list(*, user: User, tenant: Tenant) -> list[Template]:
    """Return the current templates that the user may use in a tenant, in their order. One statement."""
    return list(_templates_in(user, tenant).order_by("position", "title"))


def template_get(*, user: User, tenant: Tenant, slug: str) -> Template | None:
    """Return a current template by its slug, the tenant's own before a public one. One statement."""
    rows = _templates_in(user, tenant).filter(slug=slug)
    return rows.order_by(F("tenant").asc(nulls_last=True)).first()


def first_templates(*, user: User, limit: int = 3) -> list[Template]:
    """Return templates for somebody who has never submitted anything; none for others. One statement."""
    submitted = Workload.objects.filter(owner=user)
    rows = Template.objects.visible_to(user).filter(current=True, tenant__isnull=True).filter(~Exists(submitted))
    return list(rows.order_by("position", "title")[:limit])


def work_of(*, user: User, ended_since: dt.datetime, limit: int = 30) -> list[Workload]:
    """Return the user's own active workloads and those that ended since a moment, newest first. One statement."""
    shown = Q(state__in=[state.value for state in ACTIVE]) | Q(ended_at__gte=ended_since)
    rows = Workload.objects.visible_to(user).filter(owner=user).filter(shown).select_related("tenant", "owner")
    return list(rows.order_by("-created", "-id")[:limit])


def held_by_tenants(tenant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Limits]:
    """Return what the unreleased attempts of each tenant hold; who holds nothing is left out. One statement."""
    rows = Attempt.objects.filter(released_at__isnull=True, tenant_id__in=list(tenant_ids)).values("tenant_id")
    return {row["tenant_id"]: _limits(row) for row in rows.annotate(**_SUMS)}


def held_by_all() -> Limits:
    """Return what the unreleased attempts of all tenants hold together. One statement."""
    return _limits(Attempt.objects.filter(released_at__isnull=True).aggregate(**_SUMS))


def _templates_in(user: User, tenant: Tenant) -> QuerySet[Template]:
    rows = Template.objects.visible_to(user).filter(current=True)
    return rows.filter(Q(tenant__isnull=True) | Q(tenant=tenant))


_SUMS = {
    "held_cpu": Sum("cpu_millicores"),
    "held_memory": Sum("memory_mib"),
    "held_pods": Sum("pods"),
    "held_gpus": Sum("gpus"),
}


def _limits(row: Mapping[str, Any]) -> Limits:
    return Limits(
        cpu_millicores=int(row["held_cpu"] or 0),
        memory_mib=int(row["held_memory"] or 0),
        pods=int(row["held_pods"] or 0),
        gpus=int(row["held_gpus"] or 0),
    )


def _wanted(user: User, filters: Filters) -> Q:
    wanted = Q(owner=user) if filters.mine else Q()
    if filters.state:
        wanted &= Q(state=filters.state)
    elif filters.active:
        wanted &= Q(state__in=[state.value for state in ACTIVE])
    if filters.tenant:
        wanted &= Q(tenant__slug=filters.tenant)
    return wanted & _matches(filters.text) if filters.text else wanted


def _matches(text: str) -> Q:
    found = Q(name__icontains=text) | Q(kube_name=text) | Q(spec__image__icontains=text)
    found |= Q(owner__username__iexact=text)
    try:
        return found | Q(pk=uuid.UUID(text))
    except ValueError:
        return found


def _at(row: Workload, *, before: bool = False) -> Cursor:
    return Cursor(row.created, row.pk, before)


def _older_than(rows: WorkloadQuerySet, cursor: Cursor) -> WorkloadQuerySet:
    # the first condition bounds the index scan, the second breaks ties
    ties = Q(created__lt=cursor.created) | Q(created=cursor.created, id__lt=cursor.id)
    return rows.filter(created__lte=cursor.created).filter(ties)


def _newer_than(rows: WorkloadQuerySet, cursor: Cursor) -> WorkloadQuerySet:
    ties = Q(created__gt=cursor.created) | Q(created=cursor.created, id__gt=cursor.id)
    return rows.filter(created__gte=cursor.created).filter(ties)
