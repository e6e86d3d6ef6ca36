"""Chooses the card that explains a workload that waits or failed."""

from dataclasses import replace

from django.utils.translation import gettext as _

from workloads.explain.card import Explained, Explanation
from workloads.explain.endings import ENDINGS
from workloads.explain.facts import Facts
from workloads.explain.waiting import WAITING
from workloads.specs import Reason, State

_CARDS = {**WAITING, **ENDINGS}
_EXPLAINED = frozenset({State.QUEUED, State.STARTING, State.FAILED})


def explanation(workload: Explained, *, place: int | None = None) -> Explanation | None:
    """Return the card of a workload that waits, starts slowly or failed; None where nothing needs explaining.

    `place` is its place among the waiting workloads of its tenant, from 1.
    """
    card = _CARDS.get(_reason(workload.reason_code))
    if card is None or workload.state not in _EXPLAINED:
        return None
    built = card(Facts(workload.reason_params), workload)
    if place is None or workload.state != State.QUEUED:
        return built
    return replace(built, facts=(*built.facts, (_("Place in the tenant's queue"), str(place))))


def _reason(code: str) -> Reason:
    try:
        return Reason(code)
    except ValueError:
        return Reason.UNKNOWN
