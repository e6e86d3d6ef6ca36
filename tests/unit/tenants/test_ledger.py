"""The arithmetic of quota: never above a bound, given back as it was taken, and every stored sum can be told anew."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.ledger import (
    Bounds,
    Line,
    NeedsChoice,
    Pair,
    Pool,
    Shortage,
    bounds_problems,
    charge,
    give_back,
    joined,
    line_faults,
    parted,
    pool_faults,
    pool_of,
    rebound,
    shortage,
)

EVENTS = 1_000


def line(nominal: int = 0, borrow: int = 0, lend: int = 0, *, used: int = 0, overhang: int = 0) -> Line:
    bounds = Bounds(nominal=nominal, borrow_limit=borrow, lend_limit=lend)
    return Line(bounds=bounds, used=used, overhang=overhang)


def pool(lendable: int = 0, used: int = 0, overhang: int = 0) -> Pool:
    return Pool(lendable=lendable, used=used, overhang=overhang)


def test_a_tenant_without_a_cohort_has_room_up_to_its_nominal_quota() -> None:
    assert [Pair(line(8, used=used)).room for used in (0, 7, 8)] == [8, 1, 0]
    assert shortage(Pair(line(8, used=5)), 3) is None
    assert shortage(Pair(line(8, used=5)), 4) is Shortage.QUOTA


def test_what_is_not_asked_for_is_there_even_where_a_tenant_is_above_its_limit() -> None:
    above = Pair(line(2, used=5, overhang=3))
    assert above.room == 0
    assert shortage(above, 0) is None
    assert charge(above, 0) == above


def test_a_tenant_borrows_what_the_pool_has_and_no_more_than_its_limit_of_borrowing() -> None:
    borrower = line(4, borrow=3, used=4)
    assert [Pair(borrower, pool(10, used)).room for used in (0, 8, 10)] == [3, 2, 0]
    assert shortage(Pair(borrower, pool(10, 9)), 2) is Shortage.COHORT
    assert shortage(Pair(borrower, pool(10, 0)), 4) is Shortage.QUOTA


def test_what_a_tenant_keeps_for_itself_is_there_even_while_the_pool_is_empty() -> None:
    lender = line(8, lend=5, used=1)
    assert Pair(lender, pool(5, 5)).room == 2
    assert Pair(lender, pool(5, 4)).room == 3


def test_the_room_is_the_largest_amount_that_can_be_charged() -> None:
    pair = Pair(line(8, 2, 5, used=1), pool(9, 6))
    assert pair.room == 5
    assert charge(pair, 5) == Pair(line(8, 2, 5, used=6), pool(9, 9))
    with pytest.raises(ValueError, match="6 of 5 free"):
        charge(pair, 6)


def test_charging_uses_the_own_part_before_the_pool() -> None:
    pair = charge(Pair(line(6, 4, 2), pool(12, 1)), 4)
    assert pair == Pair(line(6, 4, 2, used=4), pool(12, 1))
    assert charge(pair, 3) == Pair(line(6, 4, 2, used=7), pool(12, 4))


def test_a_negative_amount_is_neither_charged_nor_given_back() -> None:
    for act in (charge, give_back):
        with pytest.raises(ValueError, match="-1 of"):
            act(Pair(line(8, used=4)), -1)


def test_what_is_given_back_was_held() -> None:
    assert give_back(Pair(line(8, used=4)), 4) == Pair(line(8))
    with pytest.raises(ValueError, match="5 of 4 held"):
        give_back(Pair(line(8, used=4)), 5)


def test_both_overhangs_shrink_as_work_ends_and_admit_nothing_new() -> None:
    pair = Pair(line(2, 1, 0, used=6, overhang=3), pool(2, 4, 2))
    steps = [pair]
    for _ in range(4):
        steps.append(give_back(steps[-1], 1))
    assert [(step.line.overhang, step.pool.overhang if step.pool else None, step.room) for step in steps] == [
        (3, 2, 0),
        (2, 1, 0),
        (1, 0, 0),
        (0, 0, 0),
        (0, 0, 1),
    ]


def test_a_lower_limit_needs_a_choice_only_where_more_is_held_than_it_allows() -> None:
    pair = Pair(line(8, used=5))
    assert rebound(pair, Bounds(nominal=5), keep=False) == Pair(line(5, used=5))
    with pytest.raises(NeedsChoice) as refused:
        rebound(pair, Bounds(nominal=3), keep=False)
    assert (refused.value.line_excess, refused.value.pool_excess) == (2, 0)
    assert str(refused.value) == "2 above the tenant's limit, 0 above the cohort's"
    assert rebound(pair, Bounds(nominal=3), keep=True) == Pair(line(3, used=5, overhang=2))


def test_raising_a_limit_needs_no_choice_though_an_overhang_stays() -> None:
    pair = Pair(line(3, used=6, overhang=3))
    assert rebound(pair, Bounds(nominal=5), keep=False) == Pair(line(5, used=6, overhang=1))
    assert rebound(pair, Bounds(nominal=9), keep=False) == Pair(line(9, used=6))


def test_lending_less_needs_a_choice_where_the_others_use_it_already() -> None:
    pair = Pair(line(8, lend=5, used=1), pool(5, 4))
    with pytest.raises(NeedsChoice) as refused:
        rebound(pair, Bounds(nominal=8, lend_limit=3), keep=False)
    assert (refused.value.line_excess, refused.value.pool_excess) == (0, 1)
    kept = rebound(pair, Bounds(nominal=8, lend_limit=3), keep=True)
    assert kept == Pair(line(8, lend=3, used=1), pool(3, 4, 1))
    assert rebound(kept, Bounds(nominal=8, lend_limit=4), keep=False) == Pair(line(8, lend=4, used=1), pool(4, 4))


def test_bounds_that_cannot_be_are_named() -> None:
    assert bounds_problems(Bounds(nominal=4, borrow_limit=1, lend_limit=4), in_cohort=True) == []
    assert bounds_problems(Bounds(nominal=4, lend_limit=5), in_cohort=True) == ["lend_above_nominal"]
    assert bounds_problems(Bounds(nominal=-1, lend_limit=-1), in_cohort=True) == ["negative"]
    assert bounds_problems(Bounds(nominal=4, borrow_limit=1), in_cohort=False) == ["no_cohort"]
    assert bounds_problems(Bounds(nominal=4, lend_limit=1), in_cohort=False) == ["no_cohort"]
    assert bounds_problems(Bounds(nominal=0, borrow_limit=-1), in_cohort=False) == ["negative", "no_cohort"]
    with pytest.raises(ValueError, match=r"^no_cohort$"):
        rebound(Pair(line(4)), Bounds(nominal=4, lend_limit=1), keep=True)
    with pytest.raises(ValueError, match=r"^lend_above_nominal$"):
        rebound(Pair(line(4), pool()), Bounds(nominal=4, lend_limit=5), keep=True)


def test_who_comes_into_a_cohort_lends_and_borrows_nothing_yet() -> None:
    assert joined(line(8, used=5), pool(6, 2)) == Pair(line(8, used=5), pool(6, 2))
    above = line(4, used=6, overhang=2)
    assert joined(above, pool(6, 3)) == Pair(above, pool(6, 5))
    assert joined(above, pool(6, 5)) == Pair(above, pool(6, 7, 1))


def test_who_leaves_a_cohort_keeps_what_runs_only_by_choice() -> None:
    borrower = Pair(line(4, 4, used=6), pool(6, 3))
    with pytest.raises(NeedsChoice):
        parted(borrower, keep=False)
    assert parted(borrower, keep=True) == (line(4, used=6, overhang=2), pool(6, 1))
    lender = Pair(line(8, lend=5, used=1), pool(5, 4))
    with pytest.raises(NeedsChoice):
        parted(lender, keep=False)
    assert parted(lender, keep=True) == (line(8, used=1), pool(0, 4, 4))
    assert parted(Pair(line(8, lend=5), pool(7, 2)), keep=False) == (line(8), pool(2, 2))
    with pytest.raises(ValueError, match="in no cohort"):
        parted(Pair(line(8)), keep=True)


def test_a_row_that_says_something_else_than_its_tenant_holds_is_found() -> None:
    assert line_faults(line(8, used=5), 5) == []
    assert line_faults(line(8, used=5), 4) == ["used"]
    assert line_faults(line(3, used=5, overhang=2), 5) == []
    assert line_faults(line(3, used=5, overhang=1), 5) == ["overhang"]
    assert line_faults(line(8, used=5, overhang=1), 6) == ["used", "overhang"]


def test_a_pool_that_says_something_else_than_its_lines_is_found() -> None:
    lines = [line(8, 0, 5, used=4), line(2, 3, 0, used=4)]
    assert pool_of(lines) == pool(5, 3)
    assert pool_of(lines, overhang=7) == pool(5, 3, 7)
    assert pool_faults(pool(5, 3), lines) == []
    assert pool_faults(pool(6, 3), lines) == ["lendable"]
    assert pool_faults(pool(5, 2), lines) == ["used"]
    assert pool_faults(pool(5, 3, 1), lines) == ["overhang"]
    assert pool_faults(pool(2, 3, 1), [line(2, 0, 2, used=3, overhang=1)]) == []


def test_what_a_line_may_hold_at_most_and_has_borrowed() -> None:
    borrower = line(4, 3, 1, used=6, overhang=0)
    assert (borrower.hard, borrower.pooled, borrower.borrowed) == (7, 3, 2)
    assert (line(4, used=3).pooled, line(4, used=3).borrowed, line(4, 1, used=8, overhang=3).hard) == (0, 0, 8)
    assert (pool(4, 6, 2).hard, pool(4, 6, 2).free, pool(4, 1).free) == (6, 0, 3)


class Cohort:
    """Tenants of one cohort beside what each piece of work really holds: the events of a ledger, one after another."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 (a seed to repeat it by)
        self.lines = [line(nominal, lend=lend) for nominal, lend in ((8, 4), (6, 6), (0, 0), (5, 1))]
        self.pool = pool_of(self.lines)
        self.held: list[list[int]] = [[] for _ in self.lines]

    def event(self) -> None:
        index = self.dice.randrange(len(self.lines))
        pair = Pair(self.lines[index], self.pool)
        act = self.dice.choice((self._submit, self._submit, self._end, self._set))
        after = act(pair, index)
        assert after.pool is not None
        self.lines[index], self.pool = after.line, after.pool

    def _submit(self, pair: Pair, index: int) -> Pair:
        amount = self.dice.randrange(5)
        if shortage(pair, amount):
            with pytest.raises(ValueError, match="free"):
                charge(pair, amount)
            return pair
        self.held[index].append(amount)
        return charge(pair, amount)

    def _end(self, pair: Pair, index: int) -> Pair:
        held = self.held[index]
        return give_back(pair, held.pop(self.dice.randrange(len(held)))) if held else pair

    def _set(self, pair: Pair, _index: int) -> Pair:
        nominal = self.dice.randrange(12)
        bounds = Bounds(
            nominal=nominal, borrow_limit=self.dice.randrange(6), lend_limit=self.dice.randrange(nominal + 1)
        )
        try:
            return rebound(pair, bounds, keep=self.dice.random() < 0.5)
        except NeedsChoice:
            return pair

    def check(self) -> None:
        for row, held in zip(self.lines, self.held, strict=True):
            assert line_faults(row, sum(held)) == []
            assert row.used <= row.hard
        assert pool_faults(self.pool, self.lines) == []
        assert self.pool.used <= self.pool.hard


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_a_hundred_thousand_random_events_leave_no_bound_passed_and_no_sum_wrong(seed: int) -> None:
    cohort = Cohort(seed)
    for _ in range(EVENTS):
        cohort.event()
        cohort.check()


def test_a_pool_that_said_less_than_is_used_of_it_stops_at_nothing_when_that_comes_back() -> None:
    assert give_back(Pair(line(4, lend=4, used=3), pool(4, 1)), 2) == Pair(line(4, lend=4, used=1), pool(4, 0))


def test_new_bounds_on_a_pool_that_said_less_than_is_so_stop_at_nothing_too() -> None:
    pair = Pair(line(4, lend=4, used=3), pool(1, 1, 0))
    alone = rebound(pair, Bounds(nominal=4), keep=True)
    assert alone == Pair(line(4, used=3), pool())
    assert parted(pair, keep=True) == (line(4, used=3), pool())
    assert rebound(pair, Bounds(nominal=4, lend_limit=2), keep=True).pool == pool(2, 1)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_what_is_charged_and_given_back_leaves_everything_as_it_was(
    nominal: int, borrow: int, lendable: int, used: int, amount: int
) -> None:
    own = line(nominal, borrow, min(nominal, lendable))
    pair = Pair(own, pool_of([own, line(lendable, lend=lendable)]))
    pair = charge(pair, min(used, pair.room))
    if shortage(pair, amount) is None:
        assert give_back(charge(pair, amount), amount) == pair


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))
def test_more_quota_never_means_less_room(nominal: int, borrow: int, used: int, pooled: int) -> None:
    lender = line(20, lend=20, used=min(pooled, 20))
    pairs = [
        Pair(own, pool_of([own, lender]))
        for own in (replace(line(nominal + more, borrow, used=0), used=used) for more in range(5))
    ]
    assert all(less.room <= more.room for less, more in pairwise(pairs))
