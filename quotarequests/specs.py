"""The vocabulary of quota requests, and what is decided by dates and rules alone. No database, no framework."""

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass

from tenants.specs import Amounts

MAX_JUSTIFICATION = 2_000
MAX_NOTE = 1_000
MOST_UNDECIDED = 20  # of one tenant
MOST_DAYS = 3_650
WARN_DAYS = (14, 7, 1)  # before a grant ends


class RequestState(enum.StrEnum):
    """Where a request stands. Only the first two can still be decided, answered or withdrawn."""

    OPEN = "open"
    ASKED_BACK = "asked_back"  # whoever decides wants to know more first
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"  # nobody decided before the day that it asked for had passed
    ENDED = "ended"  # what was granted for a time was taken away again


UNDECIDED = frozenset({RequestState.OPEN, RequestState.ASKED_BACK})


class EventKind(enum.StrEnum):
    """What can happen to a request."""

    CREATED = "created"
    ASKED_BACK = "asked_back"
    ANSWERED = "answered"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be granted of a resource type without anybody deciding, in the type's unit and in days."""

    most_added: int
    most_days: int
    min_days_between: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """What rules have granted a tenant of a type before: still in force, and when the last time was."""

    added: int = 0
    last: dt.date | None = None


def rule_allows(rule: Rule, *, added: int, until: dt.date | None, today: dt.date, earlier: Earlier) -> bool:
    """Tell whether a rule grants this much more until this day, with what rules granted before counted in.

    Without a last day nothing is granted by a rule. The day itself counts: until today is one day.
    """
    if until is None or (until - today).days + 1 > rule.most_days or until < today:
        return False
    if earlier.last is not None and (today - earlier.last).days < rule.min_days_between:
        return False
    return added + earlier.added <= rule.most_added


def warning_due(days_left: int, warned: int | None) -> int | None:
    """Return the warning that is due: 14, 7 or 1, of several the last; None where it was given, or a later one."""
    due = min((days for days in WARN_DAYS if days_left <= days), default=None)
    return due if due is not None and (warned is None or due < warned) else None


def added_by(amounts: Amounts, nominal: Amounts) -> dict[str, int]:
    """Return by how much new nominal amounts are above those of now; what is not above is left out."""
    more = {key: amount - nominal.get(key, 0) for key, amount in amounts.items()}
    return {key: amount for key, amount in more.items() if amount > 0}


def taken_back(nominal: int, lend_limit: int, granted: int) -> Mapping[str, int]:
    """Return a line's bounds after a grant ended: never below 0, and never more lent than is there."""
    left = max(0, nominal - granted)
    return {"nominal": left, "lend_limit": min(lend_limit, left)}
