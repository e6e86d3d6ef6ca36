"""Gives what a request asks for, or a part, and takes back what was given for a time. For services that hold the locks.

Locks are taken tenant first, then the request, then what `tenants.quotas` locks.
"""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import audit
from portal.core.errors import Conflict, NotVisible, Rejected, Text, reject
from portal.core.models import User
from quotarequests.models import QuotaRequest
from quotarequests.specs import UNDECIDED, EventKind, RequestState, added_by, taken_back, warning_due
from quotarequests.telling import noted, tell_askers
from tenants import quotas
from tenants.gauges import amount_text
from tenants.models import QuotaLine, ResourceType, Tenant
from tenants.quotaservices import quota_change, types_by_key
from tenants.specs import Amounts, Excess, Unit

_DECISION = (
    "state",
    "granted",
    "granted_until",
    "decided_by",
    "decided_at",
    "by_rule",
    "reason",
    "warned_days",
)


def today() -> dt.date:
    """Return the day by UTC, which days of requests are in."""
    return timezone.now().astimezone(dt.UTC).date()


def day_of(moment: dt.datetime | None) -> dt.date | None:
    """Return the day of a moment by UTC; None for none."""
    return None if moment is None else moment.astimezone(dt.UTC).date()


def nominal_of(tenant: Tenant) -> dict[str, int]:
    """Return a tenant's nominal quota by resource type. One statement."""
    return dict(QuotaLine.objects.filter(tenant=tenant).values_list("type__key", "nominal"))


def request_locked(request_id: UUID, *, with_tenant: bool = False) -> QuotaRequest:
    """Lock a request until the transaction ends, after its tenant where that is wanted; return it as it is now.

    Raises NotVisible where it is gone.
    """
    rows = QuotaRequest.objects.filter(pk=request_id)
    if with_tenant:
        quotas.tenants_locked(rows.values_list("tenant_id", flat=True)[:1])
    locked = rows.select_related("tenant", "author").select_for_update(of=("self",), no_key=True).first()
    if locked is None:
        raise NotVisible
    return locked


def require_undecided(request: QuotaRequest) -> None:
    """Raise Conflict, with what has become of it, unless a locked request can still be decided."""
    if request.state not in UNDECIDED:
        texts = {
            RequestState.APPROVED: _("This request was approved already."),
            RequestState.DENIED: _("This request was denied already."),
            RequestState.WITHDRAWN: _("This request was withdrawn."),
            RequestState.EXPIRED: _("This request has expired."),
            RequestState.ENDED: _("This request was approved already, and its time is over."),
        }
        raise Conflict(texts[RequestState(request.state)])
    if request.until is not None and request.until < today():
        raise Conflict(_("This request has expired."))


def granted(
    request: QuotaRequest, amounts: Amounts, *, until: dt.date | None, actor: User | None, reason: str = ""
) -> None:
    """Give a locked request these nominal amounts, until a day or for good; without an actor a rule does it.

    The tenant is locked too. Raises Rejected by key, and then nothing is written.
    """
    tenant, nominal = request.tenant, nominal_of(request.tenant)
    reject(_grant_errors(request, amounts, nominal))
    added = added_by(amounts, nominal)
    if not added:
        raise Rejected({"": [_("That gives nothing. Give more of something, or deny the request with a reason.")]})
    if until is not None and until < today():
        raise Rejected({"until": [_("This day has passed.")]})
    _quota_moved(tenant, {key: {"nominal": nominal.get(key, 0) + more} for key, more in added.items()}, actor)
    days_left = None if until is None else (until - today()).days
    request.state, request.granted, request.granted_until = RequestState.APPROVED, added, until
    request.decided_by, request.by_rule, request.reason = actor, actor is None, reason
    request.warned_days = None if days_left is None else warning_due(days_left, None)
    request.decided_at = timezone.now()
    request.save(update_fields=_DECISION)
    told_until = until.isoformat() if until else None
    noted(request, EventKind.APPROVED, actor=actor, note=reason, granted=added, until=told_until)
    tell_askers(request, EventKind.APPROVED, until=told_until)


def ended(request: QuotaRequest) -> None:
    """Take back what a locked request was granted; the tenant is locked too. What is held above stays as overhang.

    An administrator may have changed the quota meanwhile: exactly what was added is taken away, never below 0.
    """
    lines = QuotaLine.objects.filter(tenant=request.tenant_id, type__key__in=request.granted)
    changes = {
        key: taken_back(nominal, lend_limit, request.granted[key])
        for key, nominal, lend_limit in lines.values_list("type__key", "nominal", "lend_limit")
    }
    _quota_moved(request.tenant, changes, None)
    QuotaRequest.objects.filter(pk=request.pk).update(state=RequestState.ENDED, ended_at=Now())
    noted(request, EventKind.ENDED, actor=None, taken={key: request.granted[key] for key in changes})
    tell_askers(request, EventKind.ENDED)


def _quota_moved(tenant: Tenant, changes: Mapping[str, Mapping[str, int]], actor: User | None) -> None:
    before, after = quota_change(tenant, changes, excess=Excess.KEEP)
    if after:
        told = {"before": {"quota": before}, "after": {"quota": after}}
        audit.record(actor=actor, action="tenant.quota", target=tenant, tenant_id=tenant.pk, **told)


def _grant_errors(request: QuotaRequest, amounts: Amounts, nominal: Amounts) -> dict[str, list[Text]]:
    """Return what is wrong with amounts to give, by key: not asked for, more than was asked for, less than is there."""
    types = types_by_key()
    errors: dict[str, list[Text]] = {}
    for key, amount in amounts.items():
        if key not in request.wanted or key not in types:
            errors[key] = [_("This was not asked for.")]
        elif not nominal.get(key, 0) <= amount <= max(request.wanted[key], nominal.get(key, 0)):
            errors[key] = [_out_of_range(types[key], nominal.get(key, 0), request.wanted[key])]
    return errors


def _out_of_range(found: ResourceType, least: int, most: int) -> Text:
    unit = Unit(found.unit)
    given = {"least": amount_text(unit, least), "most": amount_text(unit, most)}
    if least >= most:
        return _("The tenant has %(least)s by now, which is all that was asked for.") % given
    return _("Give from %(least)s, as the tenant has by now, to %(most)s, as was asked for.") % given
