"""What happened to a workload as people read it: Berth's own events and Kubernetes', in one order. Reads no table."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workloads import presentation
from workloads.models import WorkloadEvent
from workloads.selectors import EventRow
from workloads.specs import State

SHOWS = {
    "": gettext_lazy("All"),
    "berth": gettext_lazy("From Berth"),
    "cluster": gettext_lazy("From Kubernetes"),
    "warnings": gettext_lazy("Warnings"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line. `state` is set for Berth's own; `told_by` is a person or a part of Kubernetes."""

    last_seen: dt.datetime
    first_seen: dt.datetime
    count: int = 1
    state: str = ""
    warning: bool = False
    tone: str = ""
    text: str
    detail: str = ""
    object_name: str = ""
    told_by: str = ""
    attempt_n: int | None = None


def happenings_of(events: Sequence[EventRow], *, show: str = "") -> list[Happening]:
    """Return events in words, in the order given (newest first); `show` is a key of SHOWS."""
    told = [_own(event) if event.state else _reported(event) for event in events]
    first = max((index for index, each in enumerate(told) if each.state), default=None)
    if first is not None and told[first].state == State.QUEUED and not told[first].text:
        told[first] = replace(told[first], text=_("Submitted"))
    return [each for each in told if _KEEPS[show](each)]


def _own(event: EventRow) -> Happening:
    stored = WorkloadEvent(state=event.state, reason_code=event.reason, reason_params=event.params)
    told = presentation.told(stored)
    return Happening(
        last_seen=event.last_seen,
        first_seen=event.first_seen,
        state=event.state,
        warning=bool(told.tone),
        tone=told.tone,
        text=told.reason,
        told_by=event.told_by or "",
        attempt_n=event.attempt_n,
    )


def _reported(event: EventRow) -> Happening:
    return Happening(
        last_seen=event.last_seen,
        first_seen=event.first_seen,
        count=event.times,
        warning=event.warning,
        text=event.reason,
        detail=event.message,
        object_name=event.about,
        told_by=event.told_by or "",
        attempt_n=event.attempt_n,
    )


_KEEPS: dict[str, Callable[[Happening], bool]] = {
    "": lambda _each: True,
    "berth": lambda each: bool(each.state),
    "cluster": lambda each: not each.state,
    "warnings": lambda each: each.warning,
}
