"""A book of several rows: what is charged, given back, set, joined and left, and which rows have changed by it."""

from uuid import UUID

import pytest

from tenants.ledger import Book, Bounds, Line, NeedsChoice, Pair, Pool, Short, Shortage, pool_of

VISION, SPEECH, COHORT, OTHER = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
GPUS, PODS = "gpus", "pods"


def line(nominal: int, borrow: int = 0, lend: int = 0, *, used: int = 0, overhang: int = 0) -> Line:
    bounds = Bounds(nominal=nominal, borrow_limit=borrow, lend_limit=lend)
    return Line(bounds=bounds, used=used, overhang=overhang)


def alone() -> Book:
    """Return the book of a tenant without a cohort."""
    return Book({(VISION, GPUS): line(4), (VISION, PODS): line(10)})


def together() -> Book:
    """Return the book of two tenants of a cohort, of which the second lends three GPUs."""
    lines = {(VISION, GPUS): line(4, 2), (VISION, PODS): line(10), (SPEECH, GPUS): line(4, 0, 3)}
    return Book(lines, {(COHORT, GPUS): pool_of(lines.values())}, {VISION: COHORT, SPEECH: COHORT})


def test_a_tenant_without_a_cohort_has_no_pool_and_one_with_it_an_empty_one_where_nothing_is_lent() -> None:
    assert alone().pair(VISION, GPUS) == Pair(line(4), None)
    assert together().pair(VISION, GPUS) == Pair(line(4, 2), Pool(lendable=3))
    assert together().pair(VISION, PODS) == Pair(line(10), Pool())
    assert alone().pair(VISION, "fpgas") == Pair(Line(), None)
    assert (alone().cohort_of(VISION), together().cohort_of(SPEECH)) == (None, COHORT)


def test_what_is_charged_and_given_back_changes_line_and_pool_and_nothing_else() -> None:
    book = together()
    book.charge(VISION, {GPUS: 5, PODS: 1})
    assert book.changed_lines() == {(VISION, GPUS): line(4, 2, used=5), (VISION, PODS): line(10, used=1)}
    assert book.changed_pools() == {(COHORT, GPUS): Pool(lendable=3, used=1)}
    book.give_back(VISION, {GPUS: 5, PODS: 1})
    assert (book.changed_lines(), book.changed_pools()) == ({}, {})


def test_a_book_that_nothing_was_done_to_has_no_changes() -> None:
    book = together()
    book.charge(VISION, {GPUS: 0})
    assert (book.changed_lines(), book.changed_pools(), book.tenants_with_other_bounds()) == ({}, {}, set())


def test_the_first_type_that_is_short_is_named_with_its_rows() -> None:
    book = together()
    assert book.short(VISION, {PODS: 10, GPUS: 6}) is None
    assert book.short(VISION, {PODS: 11, GPUS: 7}) == Short(PODS, Shortage.QUOTA, book.pair(VISION, PODS))
    book.charge(SPEECH, {GPUS: 4})
    assert book.short(VISION, {PODS: 1, GPUS: 5}) == Short(GPUS, Shortage.COHORT, book.pair(VISION, GPUS))


def test_what_a_tenant_could_never_hold_is_told_from_what_it_cannot_hold_now() -> None:
    book = together()
    book.charge(SPEECH, {GPUS: 4})
    assert book.above_ceiling(VISION, {GPUS: 6, PODS: 10}) is None
    assert book.above_ceiling(VISION, {GPUS: 7}) == Short(GPUS, Shortage.QUOTA, book.pair(VISION, GPUS))
    assert book.above_ceiling(VISION, {"fpgas": 1}) == Short("fpgas", Shortage.QUOTA, Pair(Line(), Pool()))


def test_a_ceiling_counts_no_more_than_the_cohort_could_lend() -> None:
    assert Pair(line(4, 8), Pool(lendable=3)).ceiling == 7
    assert Pair(line(4, 2), Pool(lendable=3)).ceiling == 6
    assert Pair(line(4, 8), None).ceiling == 12
    assert Pair(line(4, 0, 4), Pool(lendable=4)).ceiling == 4


def test_new_bounds_change_the_line_and_the_pool() -> None:
    book = together()
    book.rebound(SPEECH, GPUS, Bounds(nominal=6, lend_limit=1), keep=False)
    assert book.changed_lines() == {(SPEECH, GPUS): line(6, 0, 1)}
    assert book.changed_pools() == {(COHORT, GPUS): Pool(lendable=1)}
    assert book.tenants_with_other_bounds() == {SPEECH}


def test_bounds_below_what_is_held_need_a_choice() -> None:
    book = alone()
    book.charge(VISION, {GPUS: 3})
    with pytest.raises(NeedsChoice):
        book.rebound(VISION, GPUS, Bounds(nominal=1), keep=False)
    book.rebound(VISION, GPUS, Bounds(nominal=1), keep=True)
    assert book.pair(VISION, GPUS).line == line(1, used=3, overhang=2)
    assert book.tenants_with_other_bounds() == {VISION}
    book.give_back(VISION, {GPUS: 1})
    assert book.pair(VISION, GPUS).line == line(1, used=2, overhang=1)


def test_use_alone_moves_no_bounds() -> None:
    book = alone()
    book.charge(VISION, {GPUS: 3})
    assert book.tenants_with_other_bounds() == set()


def test_who_joins_a_cohort_is_counted_in_its_pools_of_each_type() -> None:
    book = Book(
        {(VISION, GPUS): line(2, used=3, overhang=1), (VISION, PODS): line(10, used=2)},
        {(COHORT, GPUS): Pool(lendable=3)},
    )
    assert sorted(book.keys_of(VISION)) == [GPUS, PODS]
    assert book.keys_of(SPEECH) == []
    book.join(VISION, COHORT)
    assert book.cohort_of(VISION) == COHORT
    assert book.pair(VISION, GPUS) == Pair(line(2, used=3, overhang=1), Pool(lendable=3, used=1))
    assert book.changed_pools() == {(COHORT, GPUS): Pool(lendable=3, used=1), (COHORT, PODS): Pool()}


def test_who_leaves_a_cohort_leaves_its_pools() -> None:
    book = together()
    book.charge(VISION, {GPUS: 6})
    with pytest.raises(NeedsChoice):
        book.copy().part(SPEECH, keep=False)
    book.part(SPEECH, keep=True)
    assert book.cohort_of(SPEECH) is None
    assert book.pair(SPEECH, GPUS) == Pair(line(4), None)
    assert book.changed_pools() == {(COHORT, GPUS): Pool(lendable=0, used=2, overhang=2)}


def test_a_copy_is_worked_on_alone_and_knows_its_own_changes() -> None:
    book = together()
    book.charge(VISION, {GPUS: 1})
    copy = book.copy()
    assert copy.changed_lines() == {}
    copy.charge(VISION, {GPUS: 5})
    copy.join(UUID(int=9), OTHER)
    assert (book.pair(VISION, GPUS).line.used, copy.pair(VISION, GPUS).line.used) == (1, 6)
    assert book.cohort_of(UUID(int=9)) is None


def test_a_recount_makes_lines_and_pools_say_what_is_held_whatever_they_said_before() -> None:
    lines = {
        (VISION, GPUS): line(4, 2, used=1),
        (VISION, PODS): line(10, used=3, overhang=2),
        (SPEECH, GPUS): line(2, 0, 2, used=0),
        (UUID(int=9), GPUS): line(1, used=0),
    }
    pools = {(COHORT, GPUS): Pool(lendable=7, used=0, overhang=5), (OTHER, GPUS): Pool(lendable=1, used=1)}
    book = Book(lines, pools, {VISION: COHORT, SPEECH: COHORT})
    book.recount({(VISION, GPUS): 5, (SPEECH, GPUS): 2, (UUID(int=9), GPUS): 3})
    assert book.changed_lines() == {
        (VISION, GPUS): line(4, 2, used=5),
        (VISION, PODS): line(10),
        (SPEECH, GPUS): line(2, 0, 2, used=2),
        (UUID(int=9), GPUS): line(1, used=3, overhang=2),
    }
    assert book.changed_pools() == {
        (COHORT, GPUS): Pool(lendable=2, used=3, overhang=1),
        (OTHER, GPUS): Pool(),
    }
    assert book.tenants_with_other_bounds() == {VISION, UUID(int=9)}


def test_a_recount_of_rows_that_are_right_changes_nothing() -> None:
    book = together()
    book.charge(VISION, {GPUS: 5, PODS: 1})
    right = book.copy()
    right.recount({(VISION, GPUS): 5, (VISION, PODS): 1})
    assert (right.changed_lines(), right.changed_pools()) == ({}, {})
