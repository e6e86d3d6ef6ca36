"""The plan beside shares of people and priorities and a most that may run: never beyond, and nobody else held up."""

import random
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.ledger import Book, Bounds, Line
from tenants.shares import Held, Limits, Shares, Who
from tenants.specs import GPUS, Priority
from workloads.queue import ClusterView, NodeView, Plan, Snapshot, Wait, Waiting, plan
from workloads.specs import Reason

VISION, SPEECH = UUID(int=1), UUID(int=2)
ADA, BOB, EVE = UUID(int=11), UUID(int=12), UUID(int=13)
EVENTS = 300
LOW, NORMAL = Priority.LOW, Priority.NORMAL


def job(
    number: int, owner: UUID, gpus: int = 1, *, priority: Priority = Priority.NORMAL, tenant: UUID = VISION
) -> Waiting:
    return Waiting(UUID(int=1_000 + number), tenant, {GPUS: gpus}, owner_id=owner, priority=priority)


def snapshot(*waiting: Waiting, limits: Limits, held: tuple[Held, ...] = (), nominal: int = 16) -> Snapshot:
    lines = {(tenant, GPUS): Line(bounds=Bounds(nominal=nominal)) for tenant in (VISION, SPEECH)}
    lines[VISION, GPUS] = Line(
        bounds=Bounds(nominal=nominal), used=sum(each.holds[GPUS] * each.workloads for each in held)
    )
    return Snapshot(
        cluster=ClusterView.KNOWN,
        ready=frozenset({VISION, SPEECH}),
        book=Book(lines),
        nodes=[NodeView({GPUS: 64}, True)],
        waiting=waiting,
        held={GPUS: lines[VISION, GPUS].used},
        shares=Shares({VISION: limits}, held),
    )


def reasons(made: Plan) -> dict[int, Reason]:
    return {found.int - 1_000: wait.reason for found, wait in made.wait.items()}


def admitted(made: Plan) -> list[int]:
    return [found.int - 1_000 for found in made.admit]


def test_what_could_never_be_held_says_so_while_the_cluster_is_away_or_has_no_node() -> None:
    absences: list[dict[str, Any]] = [
        {"cluster": ClusterView.ABSENT},
        {"cluster": ClusterView.STALE, "stale_since": "2026-11-24T10:00:00+00:00"},
        {"nodes": []},
        {"nodes": [NodeView({GPUS: 64}, False)]},
    ]
    asked = snapshot(job(1, ADA), job(2, ADA, 17), job(3, ADA, 5), limits=Limits(each={GPUS: 4}))
    for away in absences:
        made = plan(replace(asked, **away))
        assert (reasons(made)[2], reasons(made)[3]) == (Reason.OVER_QUOTA, Reason.OVER_SHARE), away
        assert reasons(made)[1] in (Reason.CLUSTER_ABSENT, Reason.CLUSTER_STALE, Reason.NO_NODE)


def test_who_is_over_their_share_is_told_the_numbers_and_holds_up_only_themselves() -> None:
    held = (Held(Who(VISION, ADA, NORMAL), {GPUS: 3}),)
    waiting = (job(1, ADA, 2), job(2, ADA, 1), job(3, BOB, 4), job(4, ADA, 1, tenant=SPEECH))
    made = plan(snapshot(*waiting, limits=Limits(each={GPUS: 4}), held=held))
    assert admitted(made) == [3, 4]
    assert made.wait == {
        waiting[0].id: Wait(Reason.OVER_SHARE, {"whose": "user", "resource": GPUS, "asked": 2, "held": 3, "limit": 4}),
        waiting[1].id: Wait(Reason.BEHIND_OTHERS, {"scope": "user"}),
    }


def test_a_priority_over_its_share_holds_up_only_its_own_whoever_they_are_of() -> None:
    limits = Limits(priorities={LOW: {GPUS: 2}})
    waiting = (job(1, ADA, 2, priority=LOW), job(2, ADA, 1, priority=LOW), job(3, BOB, 1, priority=LOW), job(4, ADA, 5))
    made = plan(snapshot(*waiting, limits=limits))
    assert admitted(made) == [1, 4]
    numbers = {"whose": "priority", "resource": GPUS, "asked": 1, "held": 2, "limit": 2, "priority": "low"}
    assert made.wait == {
        waiting[1].id: Wait(Reason.OVER_SHARE, numbers),
        waiting[2].id: Wait(Reason.BEHIND_OTHERS, {"scope": "priority"}),
    }


def test_more_than_a_whole_share_says_so_and_holds_up_nobody() -> None:
    made = plan(snapshot(job(1, ADA, 5), job(2, ADA, 4), limits=Limits(each={GPUS: 4})))
    assert (admitted(made), reasons(made)) == ([2], {1: Reason.OVER_SHARE})
    assert made.wait[job(1, ADA).id].params["asked"] == 5


def test_what_is_admitted_uses_up_the_share_for_those_behind() -> None:
    made = plan(snapshot(job(1, ADA, 3), job(2, ADA, 2), job(3, BOB, 2), limits=Limits(each={GPUS: 4})))
    assert (admitted(made), reasons(made)) == ([1, 3], {2: Reason.OVER_SHARE})


def test_a_tenant_that_runs_all_it_may_says_the_numbers_to_each_that_waits() -> None:
    held = (Held(Who(VISION, ADA, NORMAL), {GPUS: 1}, 2),)
    waiting = (job(1, ADA), job(2, BOB), job(3, BOB), job(4, EVE, tenant=SPEECH))
    made = plan(snapshot(*waiting, limits=Limits(most_running=3), held=held))
    assert admitted(made) == [1, 4]
    full = Wait(Reason.MAX_RUNNING, {"running": 3, "limit": 3})
    assert made.wait == {waiting[1].id: full, waiting[2].id: full}


def test_behind_one_that_the_quota_holds_up_the_quota_is_the_reason() -> None:
    waiting = (job(1, ADA, 3), job(2, BOB, 2), job(3, ADA, 2), job(4, BOB, 1))
    made = plan(snapshot(*waiting, limits=Limits(each={GPUS: 4}), nominal=4))
    assert (admitted(made), reasons(made)) == (
        [1],
        {2: Reason.OVER_QUOTA, 3: Reason.BEHIND_OTHERS, 4: Reason.BEHIND_OTHERS},
    )
    assert made.wait[waiting[2].id].params == {"scope": "tenant"}


def test_who_waits_for_a_share_keeps_no_room_in_the_quota_or_the_cluster() -> None:
    held = (Held(Who(VISION, ADA, NORMAL), {GPUS: 4}),)
    made = plan(snapshot(job(1, ADA, 4), job(2, BOB, 4), limits=Limits(each={GPUS: 4}), held=held, nominal=8))
    assert (admitted(made), reasons(made)) == ([2], {1: Reason.OVER_SHARE})


amounts = st.integers(0, 5).map(lambda most: {GPUS: most})
limits_of_a_tenant = st.builds(
    Limits,
    each=st.just({}) | amounts,
    users=st.dictionaries(st.sampled_from((ADA, BOB)), amounts),
    priorities=st.dictionaries(st.sampled_from(list(Priority)), amounts),
    most_running=st.none() | st.integers(1, 4),
)
work = st.tuples(st.sampled_from((ADA, BOB, EVE)), st.integers(0, 4), st.sampled_from(list(Priority)))


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[Snapshot, Limits, list[Held]]:
    limits = draw(limits_of_a_tenant)
    held = [Held(Who(VISION, owner, rank), {GPUS: gpus}) for owner, gpus, rank in draw(st.lists(work, max_size=4))]
    asks = sorted(draw(st.lists(work, max_size=12)), key=lambda each: each[2].rank)
    waiting = [job(n, owner, gpus, priority=priority) for n, (owner, gpus, priority) in enumerate(asks)]
    return snapshot(*waiting, limits=limits, held=tuple(held), nominal=draw(st.integers(0, 20))), limits, held


def beyond(limits: Limits, held: list[Held], taken: list[Waiting]) -> list[Any]:
    """Return the holders that a plan let above their shares, counted without `Shares`."""
    bounds: list[tuple[Any, int]] = [(owner, limits.of_user(owner).get(GPUS, 10**6)) for owner in (ADA, BOB, EVE)]
    bounds += [(priority, limits.priorities.get(priority, {}).get(GPUS, 10**6)) for priority in Priority]
    found = []
    for holder, most in bounds:
        had = sum(each.holds[GPUS] for each in held if holder in (each.who.owner, each.who.priority))
        more = sum(item.asks[GPUS] for item in taken if holder in (item.owner_id, item.priority))
        if more and had + more > most:
            found.append(holder)
    most_running = limits.most_running
    if most_running is not None and taken and len(held) + len(taken) > most_running:
        found.append("running")
    return found


@given(snapshots())
def test_no_plan_goes_above_a_share_or_a_most_that_may_run(drawn: tuple[Snapshot, Limits, list[Held]]) -> None:
    found, limits, held = drawn
    made = plan(found)
    chosen = set(made.admit)
    taken = [item for item in found.waiting if item.id in chosen]
    assert beyond(limits, held, taken) == []
    assert plan(found) == made
    assert chosen | made.wait.keys() == {item.id for item in found.waiting}


@given(snapshots())
def test_nobody_overtakes_others_of_their_own_and_a_share_holds_up_nobody_else(
    drawn: tuple[Snapshot, Limits, list[Held]],
) -> None:
    found = drawn[0]
    made = plan(found)
    mine: set[tuple[str, Any]] = set()
    for item in found.waiting:
        wait = made.wait.get(item.id)
        if wait is None:
            assert not {("user", item.owner_id), ("priority", item.priority)} & mine
        elif wait.reason is Reason.OVER_SHARE and wait.params["asked"] <= wait.params["limit"]:
            whose = wait.params["whose"]
            mine.add((whose, item.owner_id if whose == "user" else item.priority))
        elif wait.reason is Reason.BEHIND_OTHERS and wait.params["scope"] in ("user", "priority"):
            holder = item.owner_id if wait.params["scope"] == "user" else item.priority
            assert (wait.params["scope"], holder) in mine


@dataclass
class Tenant:
    """A tenant's work over time: submitted, planned, ended, its shares changed; what is held is counted here."""

    dice: random.Random
    limits: Limits = field(default_factory=Limits)
    waiting: list[Waiting] = field(default_factory=list)
    running: list[Waiting] = field(default_factory=list)
    number: int = 0

    def event(self) -> None:
        self.dice.choice((self._submit, self._submit, self._end, self._set, self._tick))()

    def _submit(self) -> None:
        self.number += 1
        owner, priority = self.dice.choice((ADA, BOB, EVE)), self.dice.choice(list(Priority))
        self.waiting.append(job(self.number, owner, self.dice.randrange(1, 4), priority=priority))
        self.waiting.sort(key=lambda item: item.priority.rank)

    def _end(self) -> None:
        if self.running:
            self.running.pop(self.dice.randrange(len(self.running)))

    def _set(self) -> None:
        def amount() -> dict[str, int]:
            return {GPUS: self.dice.randrange(6)} if self.dice.random() < 0.7 else {}

        most = self.dice.choice((None, 1, 2, 5))
        self.limits = Limits(each=amount(), users={ADA: amount()}, priorities={LOW: amount()}, most_running=most)

    def _tick(self) -> None:
        held = [Held(Who(VISION, item.owner_id, item.priority), item.asks) for item in self.running]
        made = plan(snapshot(*self.waiting, limits=self.limits, held=tuple(held), nominal=12))
        chosen = set(made.admit)
        taken = [item for item in self.waiting if item.id in chosen]
        assert beyond(self.limits, held, taken) == []
        self.running += taken
        self.waiting = [item for item in self.waiting if item.id not in chosen]
        assert sum(item.asks[GPUS] for item in self.running) <= 12


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32))
def test_over_random_events_nothing_is_ever_admitted_beyond_a_share(seed: int) -> None:
    tenant = Tenant(random.Random(seed))  # noqa: S311 (a seed to repeat it by)
    for _ in range(EVENTS):
        tenant.event()
