"""What is noted of each thing that happens to a request: its event, the audit trail, notices to people."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.core import audit
from portal.core.models import PlatformRole, User
from portal.notices.services import notify
from quotarequests.models import QuotaRequest, RequestEvent
from quotarequests.specs import EventKind
from tenants.models import Membership
from tenants.specs import Role

PORTAL = "berth"


def noted(request: QuotaRequest, kind: EventKind, *, actor: User | None, note: str = "", **after: Any) -> None:
    """Keep what happened as an event of the request and in the audit trail. Two statements."""
    name = actor.get_username() if actor else PORTAL
    RequestEvent.objects.create(request=request, actor_name=name, kind=kind, note=note)
    kept = {**after, **({"note": note} if note else {})}
    action = f"quota_request.{kind}"
    audit.record(actor=actor, action=action, target=request, tenant_id=request.tenant_id, after=kept or None)


def tell_deciders(request: QuotaRequest, kind: EventKind) -> None:
    """Tell who may decide: the platform admins. Three statements at most."""
    admins = User.objects.filter(platform_role=PlatformRole.ADMIN, is_active=True)
    _tell(request, kind, set(admins.values_list("pk", flat=True)), {})


def tell_askers(request: QuotaRequest, kind: str, **facts: Any) -> None:
    """Tell who asked: the author while they belong to the tenant, and its admins. Three statements at most."""
    members = Membership.objects.filter(tenant=request.tenant_id, user__is_active=True)
    asked = members.filter(Q(role=Role.ADMIN) | Q(user=request.author_id))
    _tell(request, kind, set(asked.values_list("user", flat=True)), facts)


def _tell(request: QuotaRequest, kind: str, users: set[UUID], facts: Mapping[str, Any]) -> None:
    notify(
        users=users,
        kind=f"quota_request.{kind}",
        facts={"tenant": request.tenant.slug, "author": request.author.get_username(), **facts},
        url=reverse("quotarequests:detail", args=[request.tenant.slug, request.pk]),
        tenant_id=request.tenant_id,
    )


def _name(facts: Mapping[str, Any], name: str) -> str:
    return str(facts.get(name) or "?")


def _named(text: str, facts: Mapping[str, Any]) -> str:
    return text % {name: _name(facts, name) for name in ("tenant", "author", "until")}


def _approved(facts: Mapping[str, Any]) -> str:
    if facts.get("until"):
        return _named(_("The quota request of %(tenant)s was approved until %(until)s."), facts)
    return _named(_("The quota request of %(tenant)s was approved."), facts)


def _ends_soon(facts: Mapping[str, Any]) -> str:
    days = facts.get("days")
    left = days if isinstance(days, int) else 0
    text = ngettext(
        "What was granted to %(tenant)s ends in %(days)d day, on %(until)s.",
        "What was granted to %(tenant)s ends in %(days)d days, on %(until)s.",
        left,
    )
    return text % {"tenant": _name(facts, "tenant"), "until": _name(facts, "until"), "days": left}


ENDS_SOON = "ends_soon"
TELLERS = {
    "quota_request.created": lambda facts: _named(_("%(author)s asks for more quota for %(tenant)s."), facts),
    "quota_request.answered": lambda facts: _named(_("%(author)s answered about the quota of %(tenant)s."), facts),
    "quota_request.asked_back": lambda facts: _named(
        _("A question was asked about the quota request of %(tenant)s."), facts
    ),
    "quota_request.approved": _approved,
    "quota_request.denied": lambda facts: _named(_("The quota request of %(tenant)s was denied."), facts),
    "quota_request.expired": lambda facts: _named(
        _("Nobody decided on the quota request of %(tenant)s before its day had passed."), facts
    ),
    "quota_request.ended": lambda facts: _named(_("What was granted to %(tenant)s has ended."), facts),
    f"quota_request.{ENDS_SOON}": _ends_soon,
}
