"""Charts of use against a limit: what is drawn, what is left out, what they say in figures."""

import datetime as dt

from tenants.charts import chart_of
from tenants.hours import Stretch, share_not_held
from tenants.specs import Unit

NOW = dt.datetime(2026, 3, 31, 12, tzinfo=dt.UTC)


def stretch(hours_ago: int, used: float, *, nominal: int = 4, used_max: int | None = None, hours: int = 6) -> Stretch:
    return Stretch(
        start=NOW - dt.timedelta(hours=hours_ago),
        hours=hours,
        used=used,
        used_max=round(used) if used_max is None else used_max,
        nominal=nominal,
    )


def test_nothing_known_is_no_chart() -> None:
    assert chart_of("GPUs", Unit.COUNT, [], now=NOW) is None


def test_the_lines_are_steps_within_the_frame() -> None:
    chart = chart_of("GPUs", Unit.COUNT, [stretch(12, 1), stretch(6, 2, used_max=4)], now=NOW)
    assert chart is not None
    assert chart.nominal_line == "M708.0 0.0H714.0V0.0H720.0"
    assert chart.used_area == "M708.0 72.0H714.0V48.0H720.0V96H708.0Z"
    assert chart.most_line == "M708.0 72.0H714.0V0.0H720.0"


def test_no_line_is_drawn_across_hours_that_nobody_sampled() -> None:
    chart = chart_of("GPUs", Unit.COUNT, [stretch(30, 1), stretch(6, 1)], now=NOW)
    assert chart is not None
    assert chart.nominal_line.count("M") == 2


def test_less_than_thirty_days_say_since_when() -> None:
    known = chart_of("GPUs", Unit.COUNT, [stretch(48, 1)], now=NOW)
    whole = chart_of("GPUs", Unit.COUNT, [stretch(30 * 24, 1), stretch(6, 1)], now=NOW)
    assert known is not None
    assert whole is not None
    assert known.since == NOW - dt.timedelta(hours=48)
    assert whole.since is None


def test_use_above_the_limit_widens_the_scale() -> None:
    chart = chart_of("GPUs", Unit.COUNT, [stretch(6, 6, nominal=4)], now=NOW)
    assert chart is not None
    assert (chart.top, chart.used_max, chart.not_held_pct) == ("6", "6", 0)


def test_a_day_s_average_weighs_what_was_sampled() -> None:
    chart = chart_of("GPUs", Unit.COUNT, [stretch(12, 4, hours=1), stretch(6, 0, hours=3)], now=NOW)
    assert chart is not None
    assert [(day.used, day.used_max) for day in chart.days] == [("1", "4")]


def test_the_share_not_held_counts_what_is_borrowed_as_nothing_idle() -> None:
    assert share_not_held([stretch(12, 6, nominal=4), stretch(6, 2, nominal=4)]) == 25.0
    assert share_not_held([stretch(6, 0, nominal=0)]) is None
    assert share_not_held([]) is None
