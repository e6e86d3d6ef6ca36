"""One act on several workloads: each row by its own service call, so by its own policy and in its own transaction.

What one row refuses stops no other. Bounded; the outcome of each row is told.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal.core import policy
from portal.core.errors import NotVisible, PortalError, Rejected
from portal.core.models import User
from portal.core.policy import Action
from workloads import services
from workloads.models import Workload
from workloads.specs import TERMINAL, State

MOST_ROWS = 100
ACTS = ("cancel", "clone")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: `text` says it, `made` is a clone. A missing and a foreign id look the same."""

    id: uuid.UUID
    done: bool
    text: str | Promise
    workload: Workload | None = None
    made: Workload | None = None


def bulk_cancel(*, actor: User, ids: Sequence[uuid.UUID]) -> list[Outcome]:
    """Cancel workloads. Raises Rejected for none or more than 100; what each row refuses is in its outcome."""

    def cancel(workload: Workload) -> Outcome:
        stopped = services.workload_cancel(actor=actor, workload=workload)
        text = _("Cancelled") if stopped.state in TERMINAL else _("Being cancelled: its pod is ended")
        return Outcome(workload.pk, True, text, stopped)

    return _each(actor, ids, cancel)


def bulk_clone(*, actor: User, ids: Sequence[uuid.UUID], idempotency_key: str) -> list[Outcome]:
    """Submit workloads again as they are, each with its source as parent. The key makes a repetition harmless.

    Raises Rejected for none or more than 100; what each row refuses is in its outcome.
    """

    def clone(workload: Workload) -> Outcome:
        key = f"{idempotency_key}:{workload.pk.hex}"
        made = services.workload_clone(actor=actor, source=workload, idempotency_key=key)
        return Outcome(workload.pk, True, _("Submitted again"), workload, made)

    return _each(actor, ids, clone)


def bulk_hide(*, actor: User, ids: Sequence[uuid.UUID]) -> list[Outcome]:
    """Take workloads that have ended out of every list. Raises Rejected for none or more than 100."""

    def hide(workload: Workload) -> Outcome:
        services.workload_hide(actor=actor, workload=workload)
        return Outcome(workload.pk, True, _("Out of all lists"), workload)

    return _each(actor, ids, hide)


def obstacle(*, actor: User, workload: Workload, act: str) -> str | Promise:
    """Return why an act would be refused for a workload as it is now; "" where nothing is in the way."""
    if act == "clone":
        allowed = policy.allowed(actor, Action.WORKLOAD_SUBMIT, workload)
        return "" if allowed else _("Your role does not allow you to submit here")
    if workload.state in TERMINAL:
        return _("It has already ended")
    if workload.state == State.STOPPING:
        return _("It is being cancelled already")
    own = workload.owner_id == actor.pk
    allowed = policy.allowed(actor, Action.WORKLOAD_CANCEL if own else Action.WORKLOAD_CANCEL_ANY, workload)
    return "" if allowed else _("It is not yours to cancel")


def rows_of(*, user: User, ids: Sequence[uuid.UUID]) -> list[Workload]:
    """Return those of some workloads that the user may see, in the order asked for. One statement. Raises Rejected."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        raise Rejected({"ids": [_("Nothing was selected. Tick the rows that you mean, then choose again.")]})
    if len(wanted) > MOST_ROWS:
        text = ngettext("At most %(n)d at once.", "At most %(n)d at once.", MOST_ROWS) % {"n": MOST_ROWS}
        raise Rejected({"ids": [text]})
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner").in_bulk(wanted)
    return [rows[found] for found in wanted if found in rows]


def _each(actor: User, ids: Sequence[uuid.UUID], act: Callable[[Workload], Outcome]) -> list[Outcome]:
    seen = {row.pk: row for row in rows_of(user=actor, ids=ids)}
    return [_outcome(found, seen.get(found), act) for found in dict.fromkeys(ids)]


def _outcome(row_id: uuid.UUID, row: Workload | None, act: Callable[[Workload], Outcome]) -> Outcome:
    try:
        if row is None:
            raise NotVisible
        return act(row)
    except Rejected as rejected:
        texts = [str(text) for found in rejected.fields.values() for text in found]
        return Outcome(row_id, False, " ".join(texts) or rejected.message, row)
    except PortalError as refused:
        return Outcome(row_id, False, refused.message, row)
