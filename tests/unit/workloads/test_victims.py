"""Which work is stopped when a tenant holds too much: low priority first, then the newest, and none in vain."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tenants.specs import CPU, GPUS, Amounts, Priority
from workloads.victims import Running, victims_of

START = datetime(2026, 1, 1, tzinfo=UTC)


def running(number: int, holds: Amounts, priority: Priority = Priority.NORMAL) -> Running:
    """Return work that began `number` minutes after all."""
    return Running(UUID(int=number), priority, START + timedelta(minutes=number), holds)


def numbers(work: list[Running], excess: Amounts) -> list[int]:
    return [found.int for found in victims_of(work, excess)]


def test_the_newest_goes_first_and_no_more_than_must() -> None:
    work = [running(n, {GPUS: 1}) for n in (1, 2, 3)]
    assert numbers(work, {GPUS: 2}) == [3, 2]
    assert numbers(work, {GPUS: 0}) == numbers(work, {GPUS: -1}) == numbers(work, {}) == []


def test_low_priority_goes_before_newer_work_of_a_higher_one() -> None:
    work = [
        running(1, {GPUS: 1}, Priority.LOW),
        running(2, {GPUS: 1}, Priority.HIGH),
        running(3, {GPUS: 1}),
        running(4, {GPUS: 1}, Priority.HIGH),
    ]
    assert numbers(work, {GPUS: 3}) == [1, 3, 4]


def test_what_holds_nothing_of_the_excess_stays() -> None:
    work = [running(1, {GPUS: 1}), running(2, {CPU: 500}), running(3, {CPU: 500, GPUS: 0})]
    assert numbers(work, {GPUS: 1}) == [1]


def test_what_a_later_and_larger_one_makes_needless_is_spared() -> None:
    assert numbers([running(1, {GPUS: 4}), running(2, {GPUS: 1})], {GPUS: 4}) == [1]
    assert numbers([running(1, {GPUS: 4}), running(2, {GPUS: 1})], {GPUS: 5}) == [2, 1]


def test_what_would_be_stopped_in_vain_is_spared_also_where_another_excess_cannot_be_met() -> None:
    work = [running(1, {CPU: 1}), running(2, {CPU: 1, GPUS: 1}, Priority.HIGH)]
    assert numbers(work, {GPUS: 2, CPU: 1}) == [2]


def test_where_all_holds_less_than_the_excess_all_of_it_goes() -> None:
    assert numbers([running(1, {GPUS: 1}), running(2, {GPUS: 1})], {GPUS: 9}) == [2, 1]


amounts = st.fixed_dictionaries({GPUS: st.integers(0, 4), CPU: st.integers(0, 4)})


@given(st.lists(st.tuples(amounts, st.sampled_from(list(Priority))), max_size=8), amounts)
def test_the_excess_is_gone_where_it_can_be_and_nobody_is_stopped_in_vain(
    drawn: list[tuple[Amounts, Priority]], excess: Amounts
) -> None:
    work = [running(n, holds, priority) for n, (holds, priority) in enumerate(drawn)]
    chosen = set(numbers(work, excess))
    stopped = [each for each in work if each.id.int in chosen]
    for key, amount in excess.items():
        assert sum(each.holds[key] for each in stopped) >= min(amount, sum(each.holds[key] for each in work))
    for spared in stopped:
        rest = [each for each in stopped if each is not spared]
        assert any(
            sum(each.holds[key] for each in rest) < amount and spared.holds[key] for key, amount in excess.items()
        )
