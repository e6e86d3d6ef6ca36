"""Reads of the audit trail, for platform admins and auditors."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from portal.core import policy
from portal.core.models import AuditEntry, User
from portal.core.policy import Action


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries; empty ones narrow nothing. `action` is a whole code, or a first part that ends with a dot."""

    actor: str = ""
    action: str = ""
    target: str = ""
    tenant_id: UUID | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def entries(*, user: User, filters: Filters) -> QuerySet[AuditEntry]:
    """Return the entries, newest first. Raises Denied."""
    policy.require(user, Action.AUDIT_VIEW)
    found = AuditEntry.objects.order_by("-id")
    if filters.actor:
        found = found.filter(actor_name__iexact=filters.actor)
    if filters.action:
        of_action = {"action__startswith" if filters.action.endswith(".") else "action": filters.action}
        found = found.filter(**of_action)
    if filters.target:
        found = found.filter(target_id=filters.target)
    if filters.tenant_id:
        found = found.filter(tenant_id=filters.tenant_id)
    if filters.since:
        found = found.filter(time__gte=filters.since)
    return found.filter(time__lt=filters.until) if filters.until else found
