"""Quotas as bars: what is held, what a request would add, and how much there is. Figures and widths only, no table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.utils.functional import Promise

from portal.core import units
from tenants.ledger import Pair
from tenants.models import QuotaLine
from tenants.specs import Amounts, Unit

FULL_FROM_PCT = 90.0
_NOTHING: Mapping[str, int] = {}


class Bar(NamedTuple):
    """The amounts of one resource, in its unit."""

    label: str | Promise
    unit: Unit
    limit: int
    held: int
    added: int = 0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One resource: words for its figures, and widths as SVG takes them ("62.50%")."""

    label: str | Promise
    held: str
    limit: str
    added: str
    used_width: str
    add_x: str
    add_width: str
    full: bool
    exceeded: bool


def quota_gauges(lines: Iterable[QuotaLine], adding: Amounts = _NOTHING) -> list[Gauge]:
    """Return the bars of a tenant's quota, given with its types."""
    return gauges_of(
        Bar(row.type.label, Unit(row.type.unit), row.nominal, row.used, adding.get(row.type.key, 0)) for row in lines
    )


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """A tenant's quota of one resource type in words ("" for nothing), and the widths of its bar."""

    label: str
    used: str
    nominal: str
    borrowed: str
    lends: str
    may_borrow: str
    overhang: str
    free: str
    nominal_width: str
    room_width: str
    used_width: str
    borrowed_width: str
    full: bool


def quota_rows(pairs: Iterable[tuple[QuotaLine, Pair]]) -> list[QuotaRow]:
    """Return the rows of a quota page; types of which there is nothing and nothing held are left out."""
    return [quota_row(line, pair) for line, pair in pairs if line.line.hard or line.used]


def quota_row(line: QuotaLine, pair: Pair) -> QuotaRow:
    """Return one row of a quota page."""
    unit, most = Unit(line.type.unit), max(line.nominal + line.borrow_limit, line.used)
    own, borrowed = min(line.used, line.nominal), pair.line.borrowed
    nominal_pct = _share_pct(line.nominal, most)
    return QuotaRow(
        label=line.type.label,
        used=amount_text(unit, line.used),
        nominal=amount_text(unit, line.nominal),
        borrowed=amount_text(unit, borrowed) if borrowed else "",
        lends=amount_text(unit, line.lend_limit) if line.lend_limit else "",
        may_borrow=amount_text(unit, line.borrow_limit) if line.borrow_limit else "",
        overhang=amount_text(unit, line.overhang) if line.overhang else "",
        free=amount_text(unit, pair.room),
        nominal_width=f"{nominal_pct:.2f}%",
        room_width=f"{100 - nominal_pct:.2f}%",
        used_width=f"{_share_pct(own, most):.2f}%",
        borrowed_width=f"{_share_pct(borrowed, most):.2f}%",
        full=_share_pct(line.used, line.nominal) >= FULL_FROM_PCT,
    )


def gauges_of(bars: Iterable[Bar]) -> list[Gauge]:
    """Return bars with their words and widths; a resource of which there is nothing and nothing held is left out."""
    return [_gauge(bar) for bar in bars if bar.limit or bar.held or bar.added]


def amount_text(unit: Unit, amount: int) -> str:
    """Return an amount in words, without the name of what it is of: "1.5", "3 GiB", "2"."""
    if unit is Unit.MILLICORES:
        return f"{amount / 1000:.2f}".rstrip("0").rstrip(".")
    if unit is Unit.MIB:
        return units.bytes_text(amount * units.MIB_BYTES) if amount else "0"
    return str(amount)


def _gauge(bar: Bar) -> Gauge:
    used_pct = _share_pct(bar.held, bar.limit)
    add_pct = min(_share_pct(bar.added, bar.limit), 100.0 - used_pct)
    return Gauge(
        label=bar.label,
        held=amount_text(bar.unit, bar.held),
        limit=amount_text(bar.unit, bar.limit),
        added=amount_text(bar.unit, bar.added) if bar.added else "",
        used_width=f"{used_pct:.2f}%",
        add_x=f"{used_pct:.2f}%",
        add_width=f"{add_pct:.2f}%",
        full=used_pct >= FULL_FROM_PCT,
        exceeded=bar.held + bar.added > bar.limit,
    )


def _share_pct(part: int, whole: int) -> float:
    if whole <= 0:
        return 100.0 if part else 0.0
    return min(part * 100 / whole, 100.0)
