"""Shares of a tenant's quota: what fits, what never can, and whom a bound concerns."""

from uuid import UUID

from tenants.shares import Held, Limits, Over, Shares, Who, Whose
from tenants.specs import CPU, GPUS, Priority

VISION, SPEECH = UUID(int=1), UUID(int=2)
ADA, BOB = UUID(int=11), UUID(int=12)


def who(owner: UUID | None = ADA, priority: Priority = Priority.NORMAL, tenant: UUID = VISION) -> Who:
    return Who(tenant, owner, priority)


def test_each_person_may_hold_the_share_of_all_unless_a_row_says_otherwise_of_them() -> None:
    limits = Limits(each={GPUS: 4, CPU: 8_000}, users={BOB: {GPUS: 1}})
    assert limits.of_user(ADA) == limits.of_user(None) == {GPUS: 4, CPU: 8_000}
    assert limits.of_user(BOB) == {GPUS: 1, CPU: 8_000}


def test_what_one_holds_leaves_the_others_their_share() -> None:
    shares = Shares({VISION: Limits(each={GPUS: 4})}, [Held(who(), {GPUS: 3})])
    assert shares.over(who(), {GPUS: 1}) is None
    assert shares.over(who(), {GPUS: 2}) == Over(Whose.USER, ADA, GPUS, 2, 3, 4)
    assert shares.over(who(BOB), {GPUS: 4}) is None
    assert (shares.held(VISION, ADA, GPUS), shares.held(VISION, BOB, GPUS)) == (3, 0)


def test_a_priority_s_share_counts_the_work_of_all_of_its_people() -> None:
    shares = Shares(
        {VISION: Limits(priorities={Priority.LOW: {GPUS: 3}})},
        [Held(who(ADA, Priority.LOW), {GPUS: 1}, 2), Held(who(ADA), {GPUS: 5})],
    )
    assert shares.over(who(BOB, Priority.LOW), {GPUS: 2}) == Over(Whose.PRIORITY, Priority.LOW, GPUS, 2, 2, 3)
    assert shares.over(who(BOB, Priority.LOW), {GPUS: 1}) is None
    assert shares.over(who(BOB, Priority.NORMAL), {GPUS: 9}) is None


def test_more_than_a_whole_share_never_fits_and_exactly_it_does() -> None:
    shares = Shares({VISION: Limits(each={GPUS: 2}, priorities={Priority.LOW: {CPU: 1_000}})})
    assert shares.never(who(), {GPUS: 2, CPU: 9_000}) is None
    assert shares.never(who(), {CPU: 5, GPUS: 3}) == Over(Whose.USER, ADA, GPUS, 3, 0, 2)
    assert shares.never(who(None, Priority.LOW), {CPU: 1_001, GPUS: 3}) == Over(
        Whose.PRIORITY, Priority.LOW, CPU, 1_001, 0, 1_000
    )


def test_of_what_nothing_is_asked_nothing_is_short() -> None:
    shares = Shares({VISION: Limits(each={GPUS: 1})}, [Held(who(), {GPUS: 5})])
    assert shares.over(who(), {CPU: 100, GPUS: 0}) is None
    assert shares.over(who(), {GPUS: 1}) == Over(Whose.USER, ADA, GPUS, 1, 5, 1)


def test_what_runs_is_counted_of_tenants_that_bound_something() -> None:
    shares = Shares({VISION: Limits(most_running=3)}, [Held(who(), {GPUS: 1}, 2), Held(who(tenant=SPEECH), {GPUS: 1})])
    assert (shares.running(VISION), shares.most_running(VISION)) == (2, 3)
    assert (shares.running(SPEECH), shares.most_running(SPEECH)) == (0, None)
    assert shares.over(who(tenant=SPEECH), {GPUS: 99}) is shares.never(who(tenant=SPEECH), {GPUS: 99}) is None


def test_a_copy_is_charged_for_itself() -> None:
    shares = Shares({VISION: Limits(each={GPUS: 4}, most_running=9)}, [Held(who(), {GPUS: 1})])
    twin = shares.copy()
    twin.charge(who(), {GPUS: 2})
    assert (shares.held(VISION, ADA, GPUS), shares.running(VISION)) == (1, 1)
    assert (twin.held(VISION, ADA, GPUS), twin.running(VISION)) == (3, 2)
    assert twin.over(who(), {GPUS: 2}) == Over(Whose.USER, ADA, GPUS, 2, 3, 4)
