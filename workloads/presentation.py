"""What pages show of a workload: its reason in words, its timeline, its command as typed in a shell. Reads no table."""

import datetime as dt
import io
import shlex
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from portal.core import units
from tenants.specs import uid_range_start
from workloads import explain, kinds
from workloads.kinds import BuildContext
from workloads.models import Attempt, Pod, Workload, WorkloadEvent
from workloads.specs import TERMINAL, Reason, State, spec_of

_ACT_ON = {
    Reason.TOO_LARGE,
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_FAILED,
    Reason.REFUSED_RETRYING,
    Reason.FOREIGN_OBJECT,
}


T = TypeVar("T", Workload, Attempt, Pod, WorkloadEvent)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """An item with its reason in the reader's words and how much it matters ("", "is-warn" or "is-bad")."""

    item: T
    reason: str
    tone: str

    @property
    def ran_text(self) -> str:
        """How long it ran; "–" where it never did."""
        started, ended = getattr(self.item, "started_at", None), getattr(self.item, "ended_at", None)
        return _span(started, ended) if started else "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a timeline; `since` marks a step that goes on now, its age is the note."""

    kind: str
    what: str
    note: str = ""
    title: str = ""
    icon: str = ""
    since: dt.datetime | None = None


def told(item: T) -> Told[T]:
    """Return an item with its reason in words."""
    state = getattr(item, "state", getattr(item, "end_state", ""))
    tone = "is-bad" if state == State.FAILED else "is-warn" if item.reason_code in _ACT_ON else ""
    return Told(item, explain.reason_text(item.reason_code, item.reason_params), tone)


def must_act(workload: Workload) -> bool:
    """Tell whether somebody must do something before it can go on."""
    return workload.reason_code in _ACT_ON


def told_all(items: Iterable[T]) -> list[Told[T]]:
    """Return items with their reasons in words."""
    return [told(item) for item in items]


def command_text(spec: Mapping[str, Any]) -> str:
    """Return what a spec runs as one would type it in a shell; "" where the image decides."""
    words = [*(spec.get("command") or [])]
    if spec.get("script"):
        words = [*(words or ["python3"]), "/workspace/.berth/script"]
    return shlex.join([*words, *(spec.get("args") or [])])


def clock_text(moment: dt.datetime) -> str:
    """Return a moment as the reader's clock shows it; with the date unless it is today."""
    local = timezone.localtime(moment)
    today = timezone.localtime().date()
    return date_format(local, "H:i:s") if local.date() == today else date_format(local, "j M, H:i")


def timeline_of(workload: Workload, attempts: Sequence[Attempt]) -> list[Step]:
    """Return the steps from submitted to the end; `attempts` newest first. A retry shows its own way, not the last."""
    current = attempts[0] if attempts and workload.state != State.QUEUED else None
    moments = _moments(workload, current)
    ended = workload.state in TERMINAL
    last_seen = max(index for index, moment in enumerate(moments[:-1]) if moment)
    steps = [_submitted(workload)]
    for index in range(1, len(moments) - 1):
        if index <= last_seen:
            going_on = index == _RUNNING and not ended
            steps.append(_running_now(workload, moments) if going_on else _done(index, moments))
        elif index == last_seen + 1 and not ended and workload.state != State.STOPPING:
            steps.append(_now(index, moments[last_seen]))
        else:
            steps.append(Step(kind="todo", what=_todo_words()[index], note=_todo_note(index, workload)))
    return [*steps, _end(workload)]


def manifests_yaml(workload: Workload, attempt: Attempt | None, installation_id: uuid.UUID) -> str:
    """Return the objects of an attempt as YAML; of a workload without one, those of its first as far as known."""
    n = attempt.n if attempt else 1
    context = BuildContext(
        installation_id=installation_id,
        tenant_id=workload.tenant_id,
        workload_id=workload.pk,
        attempt_id=attempt.pk if attempt else uuid.UUID(int=0),
        attempt_n=n,
        namespace=workload.tenant.namespace,
        object_name=attempt.object_name if attempt else f"{workload.kube_name}-{n}",
        spec=spec_of(workload.spec),
        spec_digest=workload.spec_digest,
        uid_range_start=uid_range_start(workload.tenant_id),
    )
    yaml, text = YAML(), io.StringIO()
    yaml.default_flow_style = False
    yaml.dump_all([_readable(manifest) for manifest in kinds.build(context)], text)
    return text.getvalue()


def _readable(value: Any) -> Any:
    """Return the value with texts of several lines as YAML's literal blocks."""
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value


_RUNNING = 4


def _moments(workload: Workload, attempt: Attempt | None) -> list[dt.datetime | None]:
    if attempt is None:
        return [workload.created, None, None, None, None, workload.ended_at]
    return [
        workload.created,
        attempt.created,
        attempt.scheduled_at,
        attempt.pulled_at,
        attempt.started_at,
        workload.ended_at,
    ]


def _done_words() -> list[str]:
    return [_("Submitted"), _("Admitted"), _("Scheduled"), _("Pulled"), pgettext("timeline", "Ran")]


def _now_words() -> list[str]:
    return [_("Submitted"), _("Waiting"), _("Scheduling"), _("Pulling"), pgettext("timeline", "Starting")]


def _todo_words() -> list[str]:
    return [_("Submitted"), _("Admitted"), _("Scheduled"), _("Pulled"), pgettext("timeline", "Running")]


def _submitted(workload: Workload) -> Step:
    return Step(
        kind="done",
        what=_("Submitted"),
        note=clock_text(workload.created),
        title=_absolute(workload.created),
        icon="check",
    )


def _done(index: int, moments: Sequence[dt.datetime | None]) -> Step:
    moment = moments[index]
    if moment is None:
        return Step(kind="done", what=_done_words()[index], note=_("time not seen"), icon="check")
    if index == _RUNNING:
        note = _span(moment, moments[-1])
    else:
        before = next(earlier for earlier in reversed(moments[:index]) if earlier)
        note = _("after %(span)s") % {"span": _span(before, moment)}
    return Step(kind="done", what=_done_words()[index], note=note, title=_absolute(moment), icon="check")


def _running_now(workload: Workload, moments: Sequence[dt.datetime | None]) -> Step:
    stopping = workload.state == State.STOPPING
    started = moments[_RUNNING]
    return Step(
        kind="done" if stopping else "now",
        what=pgettext("timeline", "Ran") if stopping else pgettext("timeline", "Running"),
        title=_absolute(started) if started else "",
        icon="check" if stopping else "player-play-f",
        since=started,
    )


def _now(index: int, since: dt.datetime | None) -> Step:
    return Step(kind="now", what=_now_words()[index], icon="clock" if index == 1 else "loader-2", since=since)


def _todo_note(index: int, workload: Workload) -> str:
    limit_s = workload.spec.get("max_runtime_s")
    if index != _RUNNING or not limit_s or workload.state in TERMINAL:
        return ""
    return _("limit %(span)s") % {"span": units.duration_text(limit_s)}


_END_LOOKS = {
    State.SUCCEEDED: ("done", "check"),
    State.FAILED: ("fail", "x"),
    State.CANCELLED: ("done", "ban"),
}


def _end(workload: Workload) -> Step:
    if workload.state == State.STOPPING:
        return Step(kind="now", what=workload.get_state_display(), icon="player-stop-f")
    if workload.state not in TERMINAL or workload.ended_at is None:
        return Step(kind="todo", what=_("End"))
    kind, icon = _END_LOOKS[State(workload.state)]
    return Step(
        kind=kind,
        what=workload.get_state_display(),
        note=clock_text(workload.ended_at),
        title=_absolute(workload.ended_at),
        icon=icon,
    )


def _span(start: dt.datetime, end: dt.datetime | None) -> str:
    return units.duration_text(((end or timezone.now()) - start).total_seconds())


def _absolute(moment: dt.datetime) -> str:
    return date_format(timezone.localtime(moment), "Y-m-d H:i:s")
