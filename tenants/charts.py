"""Charts of what a tenant held against its limit, as SVG takes them, and the same in figures for who reads a table."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from tenants.gauges import amount_text
from tenants.hours import DAYS_SHOWN, STEP_HOURS, Stretch, share_not_held
from tenants.models import ResourceType
from tenants.specs import Unit

WIDTH, HEIGHT = 720, 96
_STEP = dt.timedelta(hours=STEP_HOURS)


@dataclass(frozen=True, slots=True)
class Day:
    """A day's figures in words: the average and the most that was used, the highest nominal quota."""

    date: dt.date
    used: str
    used_max: str
    nominal: str


@dataclass(frozen=True, slots=True)
class Chart:
    """30 days of a resource type: paths within 720 × 96, and words. `since` is set where less than that is known."""

    label: str
    used_area: str
    most_line: str
    nominal_line: str
    top: str
    used_max: str
    not_held_pct: int | None
    since: dt.datetime | None
    days: list[Day]


def charts_of(rows: Iterable[tuple[ResourceType, Sequence[Stretch]]]) -> list[Chart]:
    """Return the charts of these types, as of now; types of which nothing is known are left out."""
    now = timezone.now()
    made = (chart_of(found.label, Unit(found.unit), stretches, now=now) for found, stretches in rows)
    return [chart for chart in made if chart is not None]


def chart_of(label: str, unit: Unit, stretches: Sequence[Stretch], *, now: dt.datetime) -> Chart | None:
    """Return the chart of a type; None where nothing of it is known."""
    if not stretches:
        return None
    first = now - dt.timedelta(days=DAYS_SHOWN)
    used_max = max(step.used_max for step in stretches)
    top = max(used_max, *(step.nominal for step in stretches), 1)
    share = share_not_held(stretches)
    runs = list(_runs(stretches))
    return Chart(
        label=label,
        used_area=" ".join(_area([(step.start, step.used) for step in run], first, top) for run in runs),
        most_line=" ".join(_line([(step.start, step.used_max) for step in run], first, top) for run in runs),
        nominal_line=" ".join(_line([(step.start, step.nominal) for step in run], first, top) for run in runs),
        top=amount_text(unit, top),
        used_max=amount_text(unit, used_max),
        not_held_pct=None if share is None else round(share),
        since=stretches[0].start if stretches[0].start > first + _STEP else None,
        days=_days(unit, stretches),
    )


def _runs(stretches: Iterable[Stretch]) -> Iterable[list[Stretch]]:
    """Give what follows one another without a gap: across a gap no line is drawn."""
    run: list[Stretch] = []
    for step in stretches:
        if run and step.start - run[-1].start > _STEP:
            yield run
            run = []
        run.append(step)
    yield run


def _line(points: Sequence[tuple[dt.datetime, float]], first: dt.datetime, top: float) -> str:
    (start, value), *rest = points
    drawn = [f"M{_x(start, first)} {_y(value, top)}H{_x(start + _STEP, first)}"]
    drawn += [f"V{_y(value, top)}H{_x(start + _STEP, first)}" for start, value in rest]
    return "".join(drawn)


def _area(points: Sequence[tuple[dt.datetime, float]], first: dt.datetime, top: float) -> str:
    return f"{_line(points, first, top)}V{HEIGHT}H{_x(points[0][0], first)}Z"


def _x(moment: dt.datetime, first: dt.datetime) -> str:
    share = (moment - first) / dt.timedelta(days=DAYS_SHOWN)
    return f"{min(max(share, 0.0), 1.0) * WIDTH:.1f}"


def _y(value: float, top: float) -> str:
    return f"{HEIGHT * (1 - value / top):.1f}"


def _days(unit: Unit, stretches: Iterable[Stretch]) -> list[Day]:
    """Return a row for each day of the reader's zone of which something is known, newest first."""
    of_day: dict[dt.date, list[Stretch]] = {}
    for step in stretches:
        of_day.setdefault(timezone.localtime(step.start).date(), []).append(step)
    return [
        Day(
            date=date,
            used=amount_text(unit, round(sum(s.used * s.hours for s in steps) / sum(s.hours for s in steps))),
            used_max=amount_text(unit, max(step.used_max for step in steps)),
            nominal=amount_text(unit, max(step.nominal for step in steps)),
        )
        for date, steps in reversed(of_day.items())
    ]
