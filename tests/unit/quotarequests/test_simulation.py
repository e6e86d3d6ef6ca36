"""What a grant would do, on small cohorts whose figures can be reckoned by hand."""

import uuid

from quotarequests.simulation import Asking, Change, Effect, World, effect_of
from tenants.ledger import Book, Bounds, Line, pool_of

A, B, COHORT = (uuid.UUID(int=number) for number in (1, 2, 9))


def line(nominal: int, used: int = 0, *, borrow: int = 0, lend: int = 0) -> Line:
    return Line(bounds=Bounds(nominal=nominal, borrow_limit=borrow, lend_limit=lend), used=used)


def asking(number: int, tenant: uuid.UUID, gpus: int) -> Asking:
    return Asking(uuid.UUID(int=100 + number), tenant, {"gpus": gpus})


def alone(own: Line, *waiting: Asking, capacity: int | None = None, held: int = 0) -> World:
    offered = {} if capacity is None else {"gpus": capacity}
    free = {} if capacity is None else {"gpus": capacity - held}
    book = Book({(A, "gpus"): own})
    return World(book, [A], waiting, {"gpus": own.bounds.nominal}, offered, free)


def cohort(first: Line, second: Line, *waiting: Asking) -> World:
    book = Book(
        {(A, "gpus"): first, (B, "gpus"): second},
        {(COHORT, "gpus"): pool_of([first, second])},
        {A: COHORT, B: COHORT},
    )
    promised = first.bounds.nominal + second.bounds.nominal
    return World(book, [A, B], waiting, {"gpus": promised}, {}, {})


def ids(*items: Asking) -> list[uuid.UUID]:
    return [item.id for item in items]


def test_what_waits_for_quota_starts_by_more_of_it() -> None:
    small, large = asking(1, A, 2), asking(2, A, 5)
    effect = effect_of(alone(line(4, 4), small, large), A, {"gpus": 6})
    assert (effect.starts, effect.still_waits) == (ids(small), 1)
    assert (effect.types[0].nominal, effect.types[0].room) == (Change(4, 6), Change(0, 2))


def test_what_would_start_anyhow_is_not_counted() -> None:
    effect = effect_of(alone(line(4), asking(1, A, 2)), A, {"gpus": 8})
    assert (effect.starts, effect.still_waits) == ([], 0)


def test_a_full_cluster_starts_nothing_and_more_is_promised_than_it_has() -> None:
    effect = effect_of(alone(line(4, 4), asking(1, A, 2), capacity=4, held=4), A, {"gpus": 6})
    assert (effect.starts, effect.still_waits) == ([], 1)
    assert effect.types[0].promised == Change(4, 6)
    assert effect.types[0].exceeds_cluster


def test_an_unknown_cluster_is_never_too_small() -> None:
    assert not effect_of(alone(line(4)), A, {"gpus": 1_000}).types[0].exceeds_cluster


def test_an_amount_below_that_of_now_changes_nothing() -> None:
    effect = effect_of(alone(line(4, 4)), A, {"gpus": 1})
    assert effect.types[0].nominal == Change(4, 4)
    assert not effect.types[0].room.moved


def test_what_was_borrowed_comes_back_to_the_others() -> None:
    world = cohort(line(2, 5, borrow=3), line(4, lend=3))
    effect = effect_of(world, A, {"gpus": 5})
    [other] = effect.others
    assert (other.tenant, other.room) == (B, Change(1, 4))
    assert effect.types[0].pool_free == Change(0, 3)


def test_others_of_the_cohort_start_by_what_comes_back() -> None:
    theirs = asking(1, B, 3)
    effect = effect_of(cohort(line(2, 5, borrow=3), line(4, lend=3), theirs), A, {"gpus": 5})
    assert (effect.starts, effect.others_start, effect.others_delayed) == ([], 1, 0)


def test_who_takes_the_pool_first_delays_the_others() -> None:
    own, theirs = asking(1, A, 4), asking(2, B, 3)
    world = cohort(line(1, borrow=2), line(4, 2, lend=2), own, theirs)
    effect = effect_of(world, A, {"gpus": 2})
    assert (effect.starts, effect.others_delayed) == ([own.id], 0)
    world = cohort(line(1, borrow=2), line(4, 2, lend=2), own, asking(2, B, 2))
    assert effect_of(world, A, {"gpus": 2}).others_delayed == 1


def test_the_world_is_left_as_it_was() -> None:
    world = cohort(line(2, 5, borrow=3), line(4, lend=3), asking(1, A, 1))
    first = effect_of(world, A, {"gpus": 5})
    assert effect_of(world, A, {"gpus": 5}) == first
    assert isinstance(first, Effect)
    assert world.book.changed_lines() == {}
