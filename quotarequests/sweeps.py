"""What happens by date alone: grants end, warnings of that, requests that nobody decided. Beat calls it each minute.

Each request has a transaction of its own, and is looked at again under its lock: two sweeps at once do nothing twice.
"""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from portal.core.errors import PortalError
from portal.core.transactions import retried
from quotarequests import granting
from quotarequests.models import QuotaRequest
from quotarequests.specs import UNDECIDED, WARN_DAYS, EventKind, RequestState, warning_due
from quotarequests.telling import ENDS_SOON, noted, tell_askers

MOST_AT_ONCE = 200
log = structlog.get_logger(__name__)


def sweep() -> int:
    """Do what is due, at most 200 of each kind; return how many requests changed. Not inside a transaction.

    One that fails is logged and keeps none of the others from their turn.
    """
    today = granting.today()
    approved = QuotaRequest.objects.filter(state=RequestState.APPROVED)
    ending = approved.filter(granted_until__gte=today, granted_until__lte=today + timedelta(days=max(WARN_DAYS)))
    due: list[tuple[Callable[[UUID], bool], list[UUID]]] = [
        (end_if_due, _ids(approved.filter(granted_until__lt=today))),
        (expire_if_due, _ids(QuotaRequest.objects.filter(state__in=UNDECIDED, until__lt=today))),
        (warn_if_due, [row.pk for row in ending.order_by("granted_until") if _warning(row) is not None][:MOST_AT_ONCE]),
    ]
    return sum(_done(act, request_id) for act, ids in due for request_id in ids)


@retried
def end_if_due(request_id: UUID) -> bool:
    """Take back what was granted until a day that has passed; say whether it was."""
    with transaction.atomic():
        request = granting.request_locked(request_id, with_tenant=True)
        until = request.granted_until
        if request.state != RequestState.APPROVED or until is None or until >= granting.today():
            return False
        granting.ended(request)
    return True


@retried
def expire_if_due(request_id: UUID) -> bool:
    """Close a request that nobody decided before its day had passed; say whether it was."""
    with transaction.atomic():
        request = granting.request_locked(request_id)
        if request.state not in UNDECIDED or request.until is None or request.until >= granting.today():
            return False
        request.state = RequestState.EXPIRED
        request.save(update_fields=["state"])
        noted(request, EventKind.EXPIRED, actor=None)
        tell_askers(request, EventKind.EXPIRED)
    return True


@retried
def warn_if_due(request_id: UUID) -> bool:
    """Warn of a grant's end 14, 7 and 1 days before, each once; say whether it was done."""
    with transaction.atomic():
        request = granting.request_locked(request_id)
        due, until = _warning(request), request.granted_until
        if request.state != RequestState.APPROVED or due is None or until is None:
            return False
        request.warned_days = due
        request.save(update_fields=["warned_days"])
        tell_askers(request, ENDS_SOON, days=(until - granting.today()).days, until=until.isoformat())
    return True


def _warning(request: QuotaRequest) -> int | None:
    if request.granted_until is None or request.granted_until < granting.today():
        return None
    return warning_due((request.granted_until - granting.today()).days, request.warned_days)


def _ids(rows: QuerySet[QuotaRequest]) -> list[UUID]:
    return list(rows.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])


def _done(act: Callable[[UUID], bool], request_id: UUID) -> bool:
    try:
        return act(request_id)
    except (PortalError, DatabaseError) as error:
        log.exception("quota request not swept", request=str(request_id), error=str(error))
        return False
