"""What the pods' tab shows of each attempt: its pods, their containers' runs, ends and sizes in words. Reads no table.

Rows of pods that ended before a fact was kept lack it: whatever is read here may be absent.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from portal.core import units
from portal.kube.quantity import parse_quantity
from workloads import explain, presentation
from workloads.models import Attempt, Pod
from workloads.presentation import Told

# Word, state whose chip it wears.
PHASES = {
    "Pending": (pgettext_lazy("pod", "Pending"), "queued"),
    "Running": (pgettext_lazy("pod", "Running"), "running"),
    "Succeeded": (pgettext_lazy("pod", "Succeeded"), "succeeded"),
    "Failed": (pgettext_lazy("pod", "Failed"), "failed"),
}
_UNKNOWN = (pgettext_lazy("pod", "Unknown"), "unknown")
_STATES = {
    "waiting": gettext_lazy("Waits"),
    "running": gettext_lazy("Runs"),
    "terminated": gettext_lazy("Ended"),
}
_PLAIN_REASONS = frozenset({"", "Completed", "Error"})
_MEMORY_LIKE = frozenset({"memory", "ephemeral-storage"})
_MIB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run of a container; `said` is what its exit code means, `reason` and `message` the cluster's own words."""

    state: str
    said: str
    reason: str
    message: str
    failed: bool
    started_at: dt.datetime | None
    ended_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFacts:
    """A container: its present run, the one before it where it was restarted, and what it asks for."""

    name: str
    image: str
    restarts: int
    run: RunFacts
    previous: RunFacts | None
    asks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """A pod with its phase in words. `chip` is the state whose look the phase has."""

    told: Told[Pod]
    phase: str
    chip: str
    containers: tuple[ContainerFacts, ...]

    @property
    def ended_unseen(self) -> bool:
        """Whether the pod went before anybody saw how it ended."""
        return self.told.item.gone and self.chip in {"queued", "running", "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """An attempt and the pods that it had."""

    told: Told[Attempt]
    pods: tuple[PodFacts, ...]


def facts_of(attempts: Sequence[Told[Attempt]], pods: Iterable[Pod]) -> list[AttemptFacts]:
    """Return the attempts, in their order, each with its pods."""
    by_attempt: dict[Any, list[PodFacts]] = {}
    for pod in pods:
        by_attempt.setdefault(pod.attempt_id, []).append(_pod(pod))
    return [AttemptFacts(told=told, pods=tuple(by_attempt.get(told.item.pk, ()))) for told in attempts]


def _pod(pod: Pod) -> PodFacts:
    phase, chip = PHASES.get(pod.phase, _UNKNOWN)
    containers = tuple(_container(each) for each in pod.containers if isinstance(each, dict))
    return PodFacts(told=presentation.told(pod), phase=str(phase), chip=chip, containers=containers)


def _container(kept: Mapping[str, Any]) -> ContainerFacts:
    previous = kept.get("previous")
    return ContainerFacts(
        name=str(kept.get("name", "")),
        image=str(kept.get("image", "")),
        restarts=int(kept.get("restarts") or 0),
        run=_run(kept),
        previous=_run(previous) if isinstance(previous, dict) else None,
        asks=amounts_text(kept.get("requests") or {}),
    )


def _run(kept: Mapping[str, Any]) -> RunFacts:
    code, reason = kept.get("exit_code"), str(kept.get("reason") or "")
    return RunFacts(
        state=str(_STATES.get(kept.get("state", ""), "")),
        said="" if code is None else explain.exit_text(code),
        reason="" if reason in _PLAIN_REASONS else reason,
        message=str(kept.get("message") or ""),
        failed=bool(code),
        started_at=_moment(kept.get("started_at")),
        ended_at=_moment(kept.get("ended_at")),
    )


def amounts_text(amounts: Mapping[str, str]) -> str:
    """Return requests as a list of amounts with their units; one that is no quantity is shown as it stands."""
    return _(", ").join(_amount(name, text) for name, text in amounts.items())


def _amount(name: str, text: str) -> str:
    try:
        amount = parse_quantity(text)
    except ValueError:
        return f"{name} {text}"
    if name == "cpu":
        return units.cpu_text(int(amount * 1000))
    if name not in _MEMORY_LIKE:
        return f"{text} {name}"
    size = units.memory_text(int(amount / _MIB))
    return (_("%(size)s memory") if name == "memory" else _("%(size)s disk")) % {"size": size}


def _moment(text: object) -> dt.datetime | None:
    return parse_datetime(text) if isinstance(text, str) else None
