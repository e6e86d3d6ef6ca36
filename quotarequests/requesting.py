"""What those who ask do: ask for more quota, answer a question, withdraw. Policy, the row, events, audit, notices."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from portal.core import policy
from portal.core.errors import Conflict, Denied, Rejected, Text, reject
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from quotarequests import granting, rules
from quotarequests.evidence import gathered
from quotarequests.models import QuotaRequest, kept_types
from quotarequests.specs import (
    MAX_JUSTIFICATION,
    MAX_NOTE,
    MOST_UNDECIDED,
    UNDECIDED,
    EventKind,
    RequestState,
)
from quotarequests.telling import noted, tell_deciders
from tenants import quotas, selectors
from tenants.gauges import amount_text
from tenants.models import ResourceType, Tenant
from tenants.quotaservices import amount_errors, types_by_key
from tenants.specs import Amounts, Unit
from workloads.models import Workload


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: nominal amounts by resource type, why, until which day, and for which waiting workload."""

    wanted: Amounts
    justification: str
    until: dt.date | None = None
    workload: Workload | None = None


@retried
def request_create(*, actor: User, tenant: Tenant, ask: Ask) -> QuotaRequest:
    """Ask for more quota. Where rules grant it, it is granted at once; else the platform admins are told.

    Raises NotVisible, Denied, Rejected by key or name, Conflict where too many requests are undecided.
    """
    policy.require(actor, Action.QUOTA_REQUEST_CREATE, tenant)
    reject(_ask_errors(ask))
    # The waits of a month may take a moment to read: nobody is locked meanwhile.
    evidence = gathered(tenant, selectors.quota_pairs(user=actor, tenant=tenant), list(ask.wanted))
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        if QuotaRequest.objects.filter(tenant=locked, state__in=UNDECIDED).count() >= MOST_UNDECIDED:
            raise Conflict(_("Too many requests of this tenant wait for a decision. Withdraw one first."))
        nominal = granting.nominal_of(locked)
        types = types_by_key()
        reject(_amount_errors(types, ask.wanted, nominal))
        request = QuotaRequest.objects.create(
            tenant=locked,
            author=actor,
            workload=ask.workload,
            wanted=dict(ask.wanted),
            had={key: nominal.get(key, 0) for key in ask.wanted},
            types=kept_types(types[key] for key in ask.wanted),
            justification=ask.justification.strip(),
            until=ask.until,
            evidence=evidence,
        )
        told_until = ask.until.isoformat() if ask.until else None
        noted(request, EventKind.CREATED, actor=actor, wanted=request.wanted, until=told_until)
        if rules.rules_grant(request, nominal):
            granting.granted(request, request.wanted, until=request.until, actor=None)
        else:
            tell_deciders(request, EventKind.CREATED)
    return request


@retried
def request_answer(*, actor: User, request: QuotaRequest, text: str) -> QuotaRequest:
    """Answer what was asked back; the request is open again. Raises NotVisible, Denied, Rejected, Conflict."""
    _require_own(actor, request)
    require_note(text, _("Enter an answer."), name="text")
    with transaction.atomic():
        locked = granting.request_locked(request.pk)
        granting.require_undecided(locked)
        if locked.state != RequestState.ASKED_BACK:
            raise Conflict(_("Nothing was asked back."))
        locked.state = RequestState.OPEN
        locked.save(update_fields=["state"])
        noted(locked, EventKind.ANSWERED, actor=actor, note=text.strip())
        tell_deciders(locked, EventKind.ANSWERED)
    return locked


@retried
def request_withdraw(*, actor: User, request: QuotaRequest) -> QuotaRequest:
    """Take back a request that is not decided. Raises NotVisible, Denied, Conflict."""
    _require_own(actor, request)
    with transaction.atomic():
        locked = granting.request_locked(request.pk)
        granting.require_undecided(locked)
        locked.state = RequestState.WITHDRAWN
        locked.save(update_fields=["state"])
        noted(locked, EventKind.WITHDRAWN, actor=actor)
    return locked


def may_answer(actor: User, request: QuotaRequest) -> bool:
    """Tell whether somebody may answer and withdraw a request: its author, and who leads the tenant."""
    own = Action.QUOTA_REQUEST_CREATE if request.author_id == actor.pk else Action.QUOTA_REQUEST_ANY
    return policy.allowed(actor, own, request)


def require_note(text: str, missing: str, *, name: str = "reason") -> None:
    """Raise Rejected at a field unless a text is there, and not too long."""
    if not text.strip():
        raise Rejected({name: [missing]})
    if len(text) > MAX_NOTE:
        raise Rejected({name: [_("Enter at most %(most)d characters.") % {"most": MAX_NOTE}]})


def _require_own(actor: User, request: QuotaRequest) -> None:
    policy.require(actor, Action.TENANT_VIEW, request)
    if not may_answer(actor, request):
        raise Denied


def _ask_errors(ask: Ask) -> dict[str, list[Text]]:
    """Return what is wrong with a request whatever the tenant has, by name."""
    errors: dict[str, list[Text]] = {}
    if not ask.wanted:
        errors[""] = [_("Ask for more of at least one resource.")]
    if not ask.justification.strip():
        errors["justification"] = [_("Say what it is for.")]
    elif len(ask.justification) > MAX_JUSTIFICATION:
        errors["justification"] = [_("Enter at most %(most)d characters.") % {"most": MAX_JUSTIFICATION}]
    if ask.until is not None and ask.until < granting.today():
        errors["until"] = [_("This day has passed.")]
    return errors


def _amount_errors(types: Mapping[str, ResourceType], wanted: Amounts, nominal: Amounts) -> dict[str, list[Text]]:
    errors = amount_errors(types, wanted)
    too_few = [key for key in wanted if key not in errors and wanted[key] <= nominal.get(key, 0)]
    return errors | {key: [_no_more(types[key], nominal.get(key, 0))] for key in too_few}


def _no_more(found: ResourceType, nominal: int) -> Text:
    has = {"has": amount_text(Unit(found.unit), nominal)}
    return _("The tenant has %(has)s already. Enter what it should have in all.") % has
