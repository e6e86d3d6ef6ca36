"""The way of a workload from submission to its end, as steps with times. Reads no table.

Only moments that were seen: a step whose moment nobody saw is left out, and so is what an ended workload never reached.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.core import units
from workloads.models import Attempt, Workload
from workloads.specs import TERMINAL, EndState, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step; `since` marks one that goes on now, its age is the note."""

    kind: str
    what: str
    note: str = ""
    title: str = ""
    icon: str = ""
    since: dt.datetime | None = None


def timeline_of(workload: Workload, attempts: Sequence[Attempt]) -> list[Step]:
    """Return the steps of a workload; `attempts` newest first. One that was tried again shows its newest try's way."""
    current, failed = _split(workload, attempts)
    steps = [_moment("done", _("Submitted"), workload.created)]
    since = workload.created
    if failed is not None and failed.ended_at:
        since = failed.ended_at
        stopped = failed.end_state == EndState.CANCELLED
        said = _("Attempt %(n)d was stopped") if stopped else _("Attempt %(n)d failed")
        kind, icon = ("done", "ban") if stopped else ("fail", "x")
        steps.append(_moment(kind, said % {"n": failed.n}, failed.ended_at, icon=icon))
    return [*steps, *_way(workload, current, since), *_run(workload, current), _end(workload)]


def clock_text(moment: dt.datetime) -> str:
    """Return a moment as the reader's clock shows it; with the date unless it is today."""
    local = timezone.localtime(moment)
    today = timezone.localtime().date()
    return date_format(local, "H:i:s") if local.date() == today else date_format(local, "j M, H:i")


def span_text(start: dt.datetime, end: dt.datetime | None) -> str:
    """Return how long something took; until now where it has not ended."""
    return units.duration_text(((end or timezone.now()) - start).total_seconds())


def _split(workload: Workload, attempts: Sequence[Attempt]) -> tuple[Attempt | None, Attempt | None]:
    """Return the attempt whose way is shown, and the one before it that failed or was stopped."""
    if not attempts:
        return None, None
    newest = attempts[0]
    waits_anew = newest.end_state == EndState.FAILED and workload.state != State.FAILED
    if workload.state == State.QUEUED or waits_anew:
        return None, newest
    return newest, attempts[1] if len(attempts) > 1 else None


def _way(workload: Workload, attempt: Attempt | None, since: dt.datetime) -> list[Step]:
    """Return the steps from the queue to the start: how long each took, what goes on now, what is to come."""
    moments = (attempt.created, attempt.scheduled_at, attempt.started_at) if attempt else (None, None, None)
    last_seen = max((index for index, moment in enumerate(moments) if moment), default=-1)
    going_on = workload.state in (State.QUEUED, State.STARTING)
    steps = []
    for index, moment in enumerate(moments):
        if moment is not None:
            steps.append(_moment("done", _done_word(index), moment, note=_after(since, moment)))
            since = moment
        elif index == last_seen + 1 and going_on:
            steps.append(Step(kind="now", what=_now_word(index), icon=_now_icon(index), since=since))
        elif index > last_seen and going_on:
            steps.append(Step(kind="todo", what=_done_word(index)))
    if attempt is None and not going_on:
        steps.append(Step(kind="done", what=_("Waited"), note=span_text(since, workload.ended_at), icon="check"))
    return steps


def _run(workload: Workload, attempt: Attempt | None) -> list[Step]:
    started = attempt.started_at if attempt else None
    if started is None:
        going_on = workload.state in (State.QUEUED, State.STARTING)
        return [Step(kind="todo", what=pgettext("timeline", "Running"))] if going_on else []
    if workload.state in TERMINAL:
        ended = (attempt.ended_at if attempt else None) or workload.ended_at
        return [_moment("done", pgettext("timeline", "Ran"), started, note=span_text(started, ended))]
    stopping = workload.state == State.STOPPING
    icon = "check" if stopping else "player-play-f"
    running = pgettext("timeline", "Running")
    return [Step(kind="done" if stopping else "now", what=running, title=_absolute(started), icon=icon, since=started)]


_END_LOOKS = {
    State.SUCCEEDED: ("done", "check"),
    State.FAILED: ("fail", "x"),
    State.CANCELLED: ("done", "ban"),
}


def _end(workload: Workload) -> Step:
    if workload.state == State.STOPPING:
        return Step(kind="now", what=workload.get_state_display(), icon="player-stop-f")
    if workload.state not in TERMINAL:
        return Step(kind="todo", what=_("End"), note=_limit(workload))
    kind, icon = _END_LOOKS[State(workload.state)]
    return _moment(kind, workload.get_state_display(), workload.ended_at, icon=icon)


def _limit(workload: Workload) -> str:
    limit_s = workload.spec.get("max_runtime_s")
    return _("limit %(span)s") % {"span": units.duration_text(limit_s)} if limit_s else ""


def _moment(kind: str, what: str, moment: dt.datetime | None, *, note: str = "", icon: str = "check") -> Step:
    if moment is None:
        return Step(kind=kind, what=what, icon=icon)
    return Step(kind=kind, what=what, note=note or clock_text(moment), title=_absolute(moment), icon=icon)


def _done_word(index: int) -> str:
    return (_("Admitted"), _("Scheduled"), _("Started"))[index]


def _now_word(index: int) -> str:
    return (_("Waiting"), _("Scheduling"), pgettext("timeline", "Starting"))[index]


def _now_icon(index: int) -> str:
    return "clock" if index == 0 else "loader-2"


def _after(start: dt.datetime, end: dt.datetime) -> str:
    return _("after %(span)s") % {"span": span_text(start, end)}


def _absolute(moment: dt.datetime) -> str:
    return date_format(timezone.localtime(moment), "Y-m-d H:i:s")
