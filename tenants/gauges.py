"""Limits as bars: what is held, what a request would add, and how much there is. Figures and widths only, no table."""

from collections.abc import Callable
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core import units
from tenants.specs import Limits
from tenants.usage import NOTHING

FULL_FROM_PCT = 90.0


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


def gauges_of(limits: Limits, held: Limits, adding: Limits = NOTHING) -> list[Gauge]:
    """Return the bars of a tenant's four limits; a resource that it neither may use nor uses is left out."""
    rows: list[tuple[Promise, int, int, int, Callable[[int], str]]] = [
        (_("CPU cores"), limits.cpu_millicores, held.cpu_millicores, adding.cpu_millicores, _cores),
        (_("Memory"), limits.memory_mib, held.memory_mib, adding.memory_mib, _memory),
        (_("GPUs"), limits.gpus, held.gpus, adding.gpus, str),
        (_("Pods"), limits.pods, held.pods, adding.pods, str),
    ]
    return [
        _gauge(label, (limit, used, more), text(limit), text(used), text(more) if more else "")
        for label, limit, used, more, text in rows
        if limit or used or more
    ]


def _gauge(label: str | Promise, amounts: tuple[int, int, int], limit: str, held: str, added: str) -> Gauge:
    most, used, more = amounts
    used_pct = _share_pct(used, most)
    add_pct = min(_share_pct(more, most), 100.0 - used_pct)
    return Gauge(
        label=label,
        held=held,
        limit=limit,
        added=added,
        used_width=f"{used_pct:.2f}%",
        add_x=f"{used_pct:.2f}%",
        add_width=f"{add_pct:.2f}%",
        full=used_pct >= FULL_FROM_PCT,
        exceeded=used + more > most,
    )


def _share_pct(part: int, whole: int) -> float:
    if whole <= 0:
        return 100.0 if part else 0.0
    return min(part * 100 / whole, 100.0)


def _cores(cpu_millicores: int) -> str:
    return f"{cpu_millicores / 1000:.2f}".rstrip("0").rstrip(".")


def _memory(memory_mib: int) -> str:
    return units.bytes_text(memory_mib * units.MIB_BYTES) if memory_mib else "0"
