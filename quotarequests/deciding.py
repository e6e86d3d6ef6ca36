"""What platform admins do with requests: approve all or a part, for good or for a time; deny; ask back."""

import datetime as dt

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import policy
from portal.core.errors import Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from quotarequests import granting
from quotarequests.models import QuotaRequest
from quotarequests.requesting import require_note
from quotarequests.specs import MAX_NOTE, EventKind, RequestState
from quotarequests.telling import noted, tell_askers
from tenants.specs import Amounts


@retried
def request_approve(
    *, actor: User, request: QuotaRequest, amounts: Amounts, until: dt.date | None, reason: str = ""
) -> QuotaRequest:
    """Give a tenant these nominal amounts, at most what was asked for, until a day or for good (None).

    Types that are not named are given nothing more. Raises NotVisible, Denied, Rejected by key or name, and Conflict
    where it was decided, withdrawn or has expired meanwhile; then nothing is written.
    """
    policy.require(actor, Action.QUOTA_REQUEST_DECIDE, request)
    if len(reason) > MAX_NOTE:
        raise Rejected({"reason": [_("Enter at most %(most)d characters.") % {"most": MAX_NOTE}]})
    with transaction.atomic():
        locked = granting.request_locked(request.pk, with_tenant=True)
        granting.require_undecided(locked)
        granting.granted(locked, amounts, until=until, actor=actor, reason=reason.strip())
    return locked


@retried
def request_deny(*, actor: User, request: QuotaRequest, reason: str) -> QuotaRequest:
    """Refuse a request, with a reason. Raises NotVisible, Denied, Rejected, Conflict."""
    policy.require(actor, Action.QUOTA_REQUEST_DECIDE, request)
    require_note(reason, _("Say why: the tenant reads it."))
    with transaction.atomic():
        locked = granting.request_locked(request.pk)
        granting.require_undecided(locked)
        locked.state, locked.reason = RequestState.DENIED, reason.strip()
        locked.decided_by, locked.decided_at = actor, timezone.now()
        locked.save(update_fields=["state", "reason", "decided_by", "decided_at"])
        noted(locked, EventKind.DENIED, actor=actor, note=locked.reason)
        tell_askers(locked, EventKind.DENIED)
    return locked


@retried
def request_ask_back(*, actor: User, request: QuotaRequest, text: str) -> QuotaRequest:
    """Ask who asked; the request waits for the answer. Raises NotVisible, Denied, Rejected, Conflict."""
    policy.require(actor, Action.QUOTA_REQUEST_DECIDE, request)
    require_note(text, _("Enter a question."), name="text")
    with transaction.atomic():
        locked = granting.request_locked(request.pk)
        granting.require_undecided(locked)
        locked.state = RequestState.ASKED_BACK
        locked.save(update_fields=["state"])
        noted(locked, EventKind.ASKED_BACK, actor=actor, note=text.strip())
        tell_askers(locked, EventKind.ASKED_BACK)
    return locked
