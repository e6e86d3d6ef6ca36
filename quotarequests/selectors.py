"""Reads of quota requests, through `visible_to`. The inbox and the rules are for who may decide, and for auditors."""

from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action
from quotarequests.models import ApprovalRule, QuotaRequest, RequestEvent
from quotarequests.specs import UNDECIDED
from tenants.models import Tenant

_EVENT = JSONObject(time="time", actor="actor_name", kind="kind", note="note")


def request_list(*, user: User, tenant: Tenant) -> QuerySet[QuotaRequest]:
    """Return a tenant's requests, newest first, with who asked and who decided."""
    return _rows(user).filter(tenant=tenant).order_by("-created", "-id")


def inbox(*, user: User, undecided: bool | None = None) -> QuerySet[QuotaRequest]:
    """Return the requests of all tenants, newest first; only those that wait for a decision, or only the others.

    Raises Denied.
    """
    policy.require(user, Action.QUOTA_REQUEST_INBOX)
    rows = _rows(user).order_by("-created", "-id")
    if undecided is None:
        return rows
    return rows.filter(state__in=UNDECIDED) if undecided else rows.exclude(state__in=UNDECIDED)


def request_get(*, user: User, slug: str, request_id: UUID) -> QuotaRequest:
    """Return a request of a tenant with `told_events`, oldest first, as plain values. One statement.

    Raises NotVisible when it is missing or not the user's to see.
    """
    events = RequestEvent.objects.filter(request=OuterRef("pk")).order_by("id").values(told=_EVENT)
    rows = (
        _rows(user)
        .annotate(told_events=ArraySubquery(events))
        .select_related("workload", "tenant__cohort")
        .defer("workload__spec")
    )
    found = rows.filter(tenant__slug=slug, pk=request_id).first()
    if found is None:
        raise NotVisible
    return found


def rule_list(*, user: User) -> QuerySet[ApprovalRule]:
    """Return the rules in the order of types, those for all tenants first. Raises Denied."""
    policy.require(user, Action.QUOTA_REQUEST_INBOX)
    order = ("type__position", "type__key", "tenant__slug", "id")
    return ApprovalRule.objects.select_related("type", "tenant").order_by(*order)


def rule_get(*, user: User, rule_id: UUID) -> ApprovalRule:
    """Return a rule. Raises NotVisible when it is missing or not the user's to see."""
    if not policy.allowed(user, Action.QUOTA_REQUEST_INBOX):
        raise NotVisible
    found = ApprovalRule.objects.select_related("type", "tenant").filter(pk=rule_id).first()
    if found is None:
        raise NotVisible
    return found


def _rows(user: User) -> QuerySet[QuotaRequest]:
    return QuotaRequest.objects.visible_to(user).select_related("tenant", "author", "decided_by")
