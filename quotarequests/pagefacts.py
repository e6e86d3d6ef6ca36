"""Requests, their evidence and their effect in words, as pages show them. Reads no table."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.core import units
from quotarequests.effects import Simulated
from quotarequests.evidence import Evidence, TypeEvidence
from quotarequests.models import QuotaRequest, RequestEvent
from quotarequests.simulation import Change
from tenants.charts import Chart, chart_of
from tenants.gauges import amount_text
from tenants.models import ResourceType
from tenants.specs import Unit

Types = Mapping[str, ResourceType]
_GONE = "–"


@dataclass(frozen=True, slots=True)
class Item:
    """One resource type of a request; `granted` is the nominal amount that was reached, "" where none was given."""

    label: str
    had: str
    wanted: str
    granted: str


@dataclass(frozen=True, slots=True)
class Row:
    """A request as lists show it."""

    request: QuotaRequest
    items: list[Item]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a request."""

    time: dt.datetime
    actor: str
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A type's evidence in words, and its chart where some hours are known."""

    label: str
    used: str
    nominal: str
    free: str
    not_held: str
    short_of: int
    since: dt.datetime | None


@dataclass(frozen=True, slots=True)
class EffectRow:
    """What would become of one resource type."""

    label: str
    nominal: tuple[str, str]
    room: tuple[str, str]
    pool_free: tuple[str, str] | None
    promised: str
    capacity: str
    exceeds_cluster: bool


def rows_of(requests: Iterable[QuotaRequest]) -> list[Row]:
    """Return requests as lists show them."""
    return [Row(request, items_of(request)) for request in requests]


def items_of(request: QuotaRequest) -> list[Item]:
    """Return what a request asks for, in the order of types."""
    types = request.resource_types
    keys = sorted(types, key=lambda key: (types[key].position, key))
    return [
        Item(
            label=types[key].label,
            had=_amount(types, key, request.had.get(key, 0)),
            wanted=_amount(types, key, request.wanted[key]),
            granted=_amount(types, key, request.granted[key]) if key in request.granted else "",
        )
        for key in keys
    ]


def happened(request: Any) -> list[Happened]:
    """Return the events of a request that `selectors.request_get` read."""
    words = dict(RequestEvent.Kind.choices)
    return [
        Happened(
            time=dt.datetime.fromisoformat(event["time"]),
            actor=event["actor"] if not (request.by_rule and event["kind"] == "approved") else _("A rule"),
            text=str(words.get(event["kind"], event["kind"])),
            note=event["note"],
        )
        for event in request.told_events
    ]


def evidence_rows(evidence: Evidence, types: Types) -> list[Shown]:
    """Return the evidence by type in words."""
    return [_shown(found, types) for found in evidence.types]


def evidence_charts(evidence: Evidence, types: Types) -> list[Chart]:
    """Return the charts of the evidence, as of its time."""
    made = (
        chart_of(_label(types, found.key), _unit(types, found.key), found.stretches, now=evidence.at)
        for found in evidence.types
    )
    return [chart for chart in made if chart is not None]


def waits_text(evidence: Evidence) -> str:
    """Return the waits as a sentence."""
    waits = evidence.waits
    if not waits.workloads or waits.median_s is None or waits.longest_s is None:
        return _("No workload was submitted.")
    text = ngettext(
        "%(n)d workload waited for %(longest)s.",
        "%(n)d workloads: half of them waited for %(median)s or less, the longest for %(longest)s.",
        waits.workloads,
    )
    return text % {
        "n": waits.workloads,
        "median": units.duration_text(waits.median_s),
        "longest": units.duration_text(waits.longest_s),
    }


def effect_rows(simulated: Simulated, types: Types) -> list[EffectRow]:
    """Return what would become of each type."""
    return [
        EffectRow(
            label=_label(types, found.key),
            nominal=_pair(types, found.key, found.nominal),
            room=_pair(types, found.key, found.room),
            pool_free=_pair(types, found.key, found.pool_free) if found.pool_free is not None else None,
            promised=_amount(types, found.key, found.promised.after),
            capacity="" if found.capacity is None else _amount(types, found.key, found.capacity),
            exceeds_cluster=found.exceeds_cluster,
        )
        for found in sorted(simulated.effect.types, key=lambda found: (types[found.key].position, found.key))
    ]


def others_moved(simulated: Simulated, types: Types) -> list[tuple[str, str, tuple[str, str]]]:
    """Return the others of the cohort whose room moves: slug, resource, room before and after."""
    return [
        (simulated.slugs[found.tenant], _label(types, found.key), _pair(types, found.key, found.room))
        for found in simulated.effect.others
    ]


def _shown(found: TypeEvidence, types: Types) -> Shown:
    return Shown(
        label=_label(types, found.key),
        used=_amount(types, found.key, found.used),
        nominal=_amount(types, found.key, found.nominal),
        free=_amount(types, found.key, found.free),
        not_held=_GONE if found.not_held_pct is None else f"{found.not_held_pct:.0f} %",
        short_of=found.short_of,
        since=found.since,
    )


def _pair(types: Types, key: str, change: Change) -> tuple[str, str]:
    return _amount(types, key, change.before), _amount(types, key, change.after)


def _amount(types: Types, key: str, amount: int) -> str:
    return amount_text(_unit(types, key), amount)


def _label(types: Types, key: str) -> str:
    return types[key].label if key in types else key


def _unit(types: Types, key: str) -> Unit:
    return Unit(types[key].unit) if key in types else Unit.COUNT
