"""Two workloads side by side in the reader's words: what differs between their specs, and how each went. No table."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import units
from tenants.choices import PRIORITY_CHOICES
from workloads import explain
from workloads.compare import Change, Difference, Line, LineKind, outcome_of, spec_differences
from workloads.models import Workload
from workloads.timeline import clock_text

MOST_LINES = 2_000
MOST_IN_BRIEF = 6
_SHORT_CHARS = 60
_LABELS: Mapping[str, Promise] = {
    "title": gettext_lazy("Title"),
    "summary": gettext_lazy("Summary"),
    "name": gettext_lazy("Name"),
    "kind": gettext_lazy("Kind"),
    "image": gettext_lazy("Image"),
    "command": gettext_lazy("Command"),
    "args": gettext_lazy("Arguments"),
    "script": gettext_lazy("Script"),
    "resources.cpu_millicores": gettext_lazy("CPU"),
    "resources.memory_mib": gettext_lazy("Memory"),
    "resources.gpus": gettext_lazy("GPUs"),
    "resources.gpu_models": gettext_lazy("GPU models"),
    "resources.extra": gettext_lazy("Other resources"),
    "max_runtime_s": gettext_lazy("Time limit"),
    "retries": gettext_lazy("Retries"),
    "priority": gettext_lazy("Priority"),
    "template": gettext_lazy("Template"),
    "template_version": gettext_lazy("Template version"),
}
_VALUES: Mapping[str, Callable[[Any], str]] = {
    "command": shlex.join,
    "args": shlex.join,
    "resources.cpu_millicores": units.cpu_text,
    "resources.memory_mib": units.memory_text,
    "resources.gpu_models": ", ".join,
    "resources.extra": lambda amounts: ", ".join(f"{key}: {amount}" for key, amount in sorted(amounts.items())),
    "max_runtime_s": units.duration_text,
    "priority": lambda value: str(dict(PRIORITY_CHOICES).get(value, value)),
}
_PLAIN = frozenset({"resources.cpu_millicores", "resources.memory_mib", "resources.gpus", "max_runtime_s", "retries"})
_PLAIN |= {"title", "summary", "priority", "template_version"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a comparison; None where a side has no value."""

    label: str
    left: str | None
    right: str | None
    differs: bool = True
    mono: bool = False
    change: str = Change.CHANGED


@dataclass(frozen=True, slots=True)
class ScriptDifference:
    """A script's lines as far as they are shown, how many came and went, and whether there are more."""

    lines: tuple[Line, ...]
    added: int
    removed: int
    more: bool


def rows_of(differences: list[Difference]) -> list[Row]:
    """Return what differs but for the script, each with both values in words."""
    return [
        Row(
            label=label_of(found.field),
            left=_text(found.field, found.left),
            right=_text(found.field, found.right),
            mono=found.field not in _PLAIN,
            change=found.change.value,
        )
        for found in differences
        if found.field != "script"
    ]


def script_of(differences: list[Difference]) -> ScriptDifference | None:
    """Return the difference between the scripts; None where they are the same."""
    found = next((found for found in differences if found.field == "script"), None)
    if found is None:
        return None
    added = sum(line.kind is LineKind.ADDED for line in found.lines)
    removed = sum(line.kind is LineKind.REMOVED for line in found.lines)
    return ScriptDifference(found.lines[:MOST_LINES], added, removed, len(found.lines) > MOST_LINES)


def outcome_rows(left: Workload, right: Workload) -> list[Row]:
    """Return how both went: why they ended so, how long each waited and ran."""
    one, other = _outcome(left), _outcome(right)
    return [Row(label=label, left=one[label], right=other[label], differs=one[label] != other[label]) for label in one]


def brief_of(parent: Mapping[str, Any], spec: Mapping[str, Any]) -> tuple[list[Row], int]:
    """Return the first changes against a parent's spec, values cut short, and how many more there are."""
    found = spec_differences(parent, spec)
    rows = []
    for difference in found[:MOST_IN_BRIEF]:
        if difference.field == "script":
            rows.append(Row(label=label_of("script"), left=None, right=_lines_text(script_of([difference]))))
        else:
            rows += [_cut(row) for row in rows_of([difference])]
    return rows, len(found) - len(rows)


def label_of(field: str) -> str:
    """Return a field's name as forms and pages have it; a variable's own name as it is."""
    if field.startswith("env."):
        return field.removeprefix("env.")
    label = _LABELS.get(field)
    return field if label is None else str(label)


def _outcome(workload: Workload) -> dict[str, str | None]:
    found = outcome_of(workload)
    reason = explain.reason_text(workload.reason_code, workload.reason_params)
    return {
        _("Why"): reason or None,
        _("Submitted"): clock_text(workload.created),
        _("Waited"): _span(found.waited_s),
        _("Ran"): _span(found.ran_s),
        _("Attempts"): str(found.attempts),
        _("Exit code"): None if found.exit_code is None else str(found.exit_code),
    }


def _span(seconds: float | None) -> str | None:
    return None if seconds is None else units.duration_text(seconds)


def _text(field: str, value: Any) -> str | None:
    return None if value is None else _VALUES.get(field, str)(value)


def _cut(row: Row) -> Row:
    return Row(label=row.label, left=_short(row.left), right=_short(row.right), mono=row.mono, change=row.change)


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHORT_CHARS else text[: _SHORT_CHARS - 1] + "…"


def _lines_text(script: ScriptDifference | None) -> str:
    return "" if script is None else f"+{script.added} −{script.removed}"
