"""What dates and rules decide about quota requests."""

import datetime as dt

import pytest

from quotarequests.specs import Earlier, Rule, added_by, rule_allows, taken_back, warning_due

TODAY = dt.date(2026, 3, 1)
RULE = Rule(most_added=4, most_days=30, min_days_between=7)


def day(days: int) -> dt.date:
    return TODAY + dt.timedelta(days=days)


@pytest.mark.parametrize(
    ("added", "until", "earlier", "allowed"),
    [
        (4, day(29), Earlier(), True),
        (5, day(29), Earlier(), False),
        (4, day(30), Earlier(), False),
        (1, day(0), Earlier(), True),
        (1, day(-1), Earlier(), False),
        (1, None, Earlier(), False),
        (2, day(5), Earlier(added=2, last=day(-7)), True),
        (2, day(5), Earlier(added=3, last=day(-7)), False),
        (2, day(5), Earlier(added=0, last=day(-6)), False),
    ],
)
def test_a_rule_allows_only_what_is_small_enough_short_enough_and_not_too_soon(
    added: int, until: dt.date | None, earlier: Earlier, allowed: bool
) -> None:
    assert rule_allows(RULE, added=added, until=until, today=TODAY, earlier=earlier) is allowed


@pytest.mark.parametrize(
    ("days_left", "warned", "due"),
    [
        (15, None, None),
        (14, None, 14),
        (13, 14, None),
        (8, 14, None),
        (7, 14, 7),
        (5, None, 7),
        (1, 7, 1),
        (0, 7, 1),
        (0, 1, None),
        (14, 1, None),
    ],
)
def test_each_warning_is_due_once_and_of_missed_ones_only_the_last(
    days_left: int, warned: int | None, due: int | None
) -> None:
    assert warning_due(days_left, warned) == due


def test_only_what_is_above_the_present_counts_as_added() -> None:
    assert added_by({"gpus": 8, "pods": 5, "cpu": 1}, {"gpus": 4, "pods": 5, "cpu": 2}) == {"gpus": 4}


@pytest.mark.parametrize(
    ("nominal", "lend_limit", "granted", "left"),
    [(8, 0, 4, (4, 0)), (8, 6, 4, (4, 4)), (2, 2, 4, (0, 0)), (0, 0, 4, (0, 0))],
)
def test_what_ends_is_taken_away_never_below_nothing_and_lending_follows(
    nominal: int, lend_limit: int, granted: int, left: tuple[int, int]
) -> None:
    assert taken_back(nominal, lend_limit, granted) == {"nominal": left[0], "lend_limit": left[1]}
