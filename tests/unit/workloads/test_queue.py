"""The plan: never above a limit, first come first served, the same snapshot the same plan."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tenants.ledger import Book, Bounds, Line, pool_of
from tenants.specs import CPU, GPUS, MEMORY, PODS, Amounts
from workloads.asks import asked_by
from workloads.queue import ClusterView, NodeView, Plan, Snapshot, Wait, Waiting, plan
from workloads.specs import Reason

VISION, SPEECH, SOUND = UUID(int=1), UUID(int=2), UUID(int=3)
COHORT = UUID(int=99)
Lines = dict[tuple[UUID, str], Line]


def amounts(cpu: int = 0, memory: int = 0, gpus: int = 0, pods: int = 0) -> Amounts:
    return {CPU: cpu, MEMORY: memory, GPUS: gpus, PODS: pods}


NODE = NodeView(amounts(8_000, 16_384, 4, 100), True)


def summed(several: Iterable[Amounts]) -> Amounts:
    total: dict[str, int] = {}
    for each in several:
        for key, amount in each.items():
            total[key] = total.get(key, 0) + amount
    return total


def lines(tenant: UUID, limits: Amounts, held: Amounts | None = None) -> Lines:
    used = held or {}
    return {
        (tenant, key): Line(
            bounds=Bounds(nominal=most), used=used.get(key, 0), overhang=max(0, used.get(key, 0) - most)
        )
        for key, most in limits.items()
    }


def roomy(*tenants: UUID) -> Lines:
    found: Lines = {}
    for tenant in tenants:
        found |= lines(tenant, NODE.offers)
    return found


def job(number: int, *, tenant: UUID = VISION, cpu: int = 1_000, gpus: int = 0, blocked: bool = False) -> Waiting:
    return Waiting(UUID(int=1_000 + number), tenant, asked_by(cpu, 1_024, gpus), blocked)


def snapshot(*waiting: Waiting, book: Lines | Book | None = None, **changes: Any) -> Snapshot:
    rows = roomy(VISION, SPEECH) if book is None else book
    built: dict[str, Any] = {
        "cluster": ClusterView.KNOWN,
        "ready": frozenset({VISION, SPEECH, SOUND}),
        "book": rows if isinstance(rows, Book) else Book(rows),
        "nodes": [NODE],
        "waiting": list(waiting),
        "held": {},
        **changes,
    }
    return Snapshot(**built)


def reasons(made: Plan) -> list[Reason]:
    return [wait.reason for wait in made.wait.values()]


def test_what_fits_is_admitted_in_order() -> None:
    waiting = [job(3), job(1), job(2)]
    assert plan(snapshot(*waiting)) == Plan(admitted={item.id: item for item in waiting})


def test_the_first_over_the_limit_says_the_numbers_and_holds_up_those_behind_it() -> None:
    book = lines(VISION, amounts(4_000, 16_384, 4, 100), amounts(3_000, 1_024, 0, 1))
    made = plan(snapshot(job(1, cpu=2_000), job(2, cpu=500), book=book))
    numbers = {"resource": "cpu_millicores", "asked": 2_000, "held": 3_000, "limit": 4_000}
    assert list(made.wait.values()) == [
        Wait(Reason.OVER_QUOTA, numbers),
        Wait(Reason.BEHIND_OTHERS, {"scope": "tenant"}),
    ]


def test_a_tenant_at_its_limit_holds_up_no_other_tenant() -> None:
    full = lines(VISION, amounts(1_000, 16_384, 4, 100), amounts(1_000, 1_024, 0, 1))
    second = job(2, tenant=SPEECH)
    assert plan(snapshot(job(1), second, book=full | roomy(SPEECH))).admit == [second.id]


def test_each_resource_has_its_limit() -> None:
    for key in NODE.offers:
        ask = Waiting(UUID(int=9), VISION, {key: 1})
        made = plan(snapshot(ask, book=lines(VISION, {**NODE.offers, key: 1}, {key: 1})))
        assert made.wait[ask.id].params["resource"] == key


def test_what_a_tenant_has_no_quota_of_is_over_its_quota() -> None:
    ask = Waiting(UUID(int=9), VISION, {"fpgas": 1})
    nodes = [NodeView({**NODE.offers, "fpgas": 2}, True)]
    assert plan(snapshot(ask, nodes=nodes)).wait[ask.id] == Wait(
        Reason.OVER_QUOTA, {"resource": "fpgas", "asked": 1, "held": 0, "limit": 0}
    )
    assert plan(snapshot(ask, nodes=nodes, book=lines(VISION, {"fpgas": 1}))).admit == [ask.id]


def test_a_resource_that_no_node_has_is_too_large() -> None:
    ask = Waiting(UUID(int=9), VISION, {"fpgas": 1})
    assert plan(snapshot(ask, book=lines(VISION, {"fpgas": 1}))).wait[ask.id] == Wait(
        Reason.TOO_LARGE, {"resource": "fpgas", "asked": 1, "largest": 0}
    )


def test_a_full_cluster_keeps_room_for_the_first_in_line_whoever_comes_behind() -> None:
    large, small, no_gpu = job(1, gpus=3), job(2, tenant=SPEECH, gpus=2), job(3, tenant=SOUND)
    made = plan(snapshot(large, small, no_gpu, held={GPUS: 2}, book=roomy(VISION, SPEECH, SOUND)))
    assert made.wait[large.id] == Wait(Reason.NO_CAPACITY, {"resource": "gpus", "asked": 3, "free": 2})
    assert made.wait[small.id] == Wait(Reason.BEHIND_OTHERS, {"scope": "cluster"})
    assert made.admit == [no_gpu.id]


def test_what_is_admitted_takes_room_in_the_cluster_from_those_behind_it() -> None:
    first, second = job(1, cpu=5_000), job(2, tenant=SPEECH, cpu=5_000)
    made = plan(snapshot(first, second))
    assert made.admit == [first.id]
    assert made.wait == {
        second.id: Wait(Reason.NO_CAPACITY, {"resource": CPU, "asked": 5_000, "free": 3_000}),
    }


def test_what_is_asked_for_exactly_what_is_free_fits() -> None:
    first, second = job(1, cpu=5_000), job(2, tenant=SPEECH, cpu=3_000)
    assert plan(snapshot(first, second)).admit == [first.id, second.id]


def test_of_several_node_sizes_the_resource_to_blame_is_one_that_no_node_has_enough_of() -> None:
    nodes = [NodeView(amounts(8_000, 4_096, 0, 100), True), NodeView(amounts(4_000, 16_384, 2, 100), True)]
    ask = job(1, cpu=2_000, gpus=3)
    assert plan(snapshot(ask, nodes=nodes)).wait[ask.id] == Wait(
        Reason.TOO_LARGE, {"resource": GPUS, "asked": 3, "largest": 2}
    )


def test_what_no_node_can_run_says_so_and_holds_up_nobody() -> None:
    large, small = job(1, cpu=6_000), job(2)
    nodes = [NodeView(amounts(4_000, 16_384, 0, 100), True), NodeView(amounts(2_000, 32_768, 4, 100), True)]
    made = plan(snapshot(large, small, nodes=nodes))
    assert made.wait == {
        large.id: Wait(Reason.TOO_LARGE, {"resource": "cpu_millicores", "asked": 6_000, "largest": 4_000})
    }
    assert made.admit == [small.id]


def test_a_combination_that_no_single_node_has_is_too_large_as_well() -> None:
    nodes = [NodeView(amounts(8_000, 16_384, 0, 100), True), NodeView(amounts(2_000, 16_384, 4, 100), True)]
    ask = job(1, cpu=4_000, gpus=1)
    assert plan(snapshot(ask, nodes=nodes)).wait == {
        ask.id: Wait(Reason.TOO_LARGE, {"resource": "gpus", "asked": 1, "largest": 0})
    }


def test_more_than_the_whole_limit_holds_up_nobody() -> None:
    large, small = job(1, cpu=2_000), job(2)
    made = plan(snapshot(large, small, book=lines(VISION, amounts(1_000, 16_384, 4, 100))))
    assert (reasons(made), made.admit) == ([Reason.OVER_QUOTA], [small.id])


def test_a_cordoned_node_counts_as_known_but_offers_nothing() -> None:
    made = plan(snapshot(job(1), nodes=[NodeView(NODE.offers, False)]))
    assert made.wait[job(1).id] == Wait(Reason.NO_NODE, {"nodes": 1})


def test_without_a_node_all_wait_for_one() -> None:
    assert reasons(plan(snapshot(job(1), job(2), nodes=[]))) == [Reason.NO_NODE, Reason.NO_NODE]


def test_nothing_starts_while_the_cluster_is_absent_or_silent() -> None:
    absent = plan(snapshot(job(1), cluster=ClusterView.ABSENT))
    stale = plan(snapshot(job(1), cluster=ClusterView.STALE, stale_since="2026-11-24T10:00:00+00:00"))
    assert absent == Plan(wait={job(1).id: Wait(Reason.CLUSTER_ABSENT, {})})
    assert stale == Plan(wait={job(1).id: Wait(Reason.CLUSTER_STALE, {"since": "2026-11-24T10:00:00+00:00"})})


def test_an_unfinished_tenant_waits_and_an_unknown_one_too() -> None:
    made = plan(snapshot(job(1), job(2, tenant=SPEECH), ready=frozenset()))
    assert reasons(made) == [Reason.TENANT_NOT_READY, Reason.TENANT_NOT_READY]


def test_a_retry_whose_old_pods_are_still_there_keeps_its_reason_and_holds_up_nobody() -> None:
    made = plan(snapshot(job(1, blocked=True), job(2)))
    assert made == Plan(admitted={job(2).id: job(2)})


sizes = st.builds(amounts, *(st.integers(0, most) for most in (5_000, 8_192, 4)), st.integers(0, 20))
asked = st.builds(asked_by, st.integers(10, 3_000), st.integers(16, 4_096), st.integers(0, 2))


@st.composite
def books(draw: st.DrawFn, tenants: list[UUID]) -> Book:
    """Draw ledgers as they can be: each within its bounds, some tenants in one cohort."""
    rows: Lines = {}
    cohorts = {tenant: COHORT for tenant in tenants if draw(st.booleans())}
    for tenant in tenants:
        for key, nominal in draw(sizes).items():
            lend = draw(st.integers(0, nominal)) if tenant in cohorts else 0
            borrow = draw(st.integers(0, 4)) if tenant in cohorts else 0
            used = draw(st.integers(0, nominal + borrow + 2))
            bounds = Bounds(nominal=nominal, borrow_limit=borrow, lend_limit=lend)
            rows[tenant, key] = Line(bounds=bounds, used=used, overhang=max(0, used - bounds.most))
    pools = {}
    for key in NODE.offers if cohorts else ():
        pool = pool_of(rows[tenant, key] for tenant in cohorts)
        pools[COHORT, key] = pool_of(
            (rows[tenant, key] for tenant in cohorts), overhang=max(0, pool.used - pool.lendable)
        )
    return Book(rows, pools, cohorts)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    keys = [UUID(int=number) for number in range(1, draw(st.integers(1, 4)) + 1)]
    book = draw(books(keys))
    asks = draw(st.lists(st.tuples(st.sampled_from(keys), asked, st.booleans()), max_size=25))
    return Snapshot(
        cluster=ClusterView.KNOWN,
        ready=frozenset(draw(st.sets(st.sampled_from(keys)))),
        book=book,
        nodes=draw(st.lists(st.builds(NodeView, sizes, st.booleans()), max_size=6)),
        waiting=[Waiting(UUID(int=100 + n), *ask) for n, ask in enumerate(asks)],
        held=summed({key: book.pair(tenant, key).line.used for key in NODE.offers} for tenant in keys),
    )


def taken(found: Snapshot, made: Plan) -> Mapping[UUID, Amounts]:
    admitted = set(made.admit)
    tenants = {item.tenant_id for item in found.waiting}
    return {
        tenant: summed(item.asks for item in found.waiting if item.tenant_id == tenant and item.id in admitted)
        for tenant in tenants
    }


@given(snapshots())
def test_no_plan_goes_above_a_quota_a_pool_or_the_cluster(found: Snapshot) -> None:
    sums = taken(found, plan(found))
    book = found.book.copy()
    for key, amount in sums.items():
        assert not amount or key in found.ready
        book.charge(key, amount)  # raises where it does not fit
    offered = summed(node.offers for node in found.nodes if node.usable)
    held = summed([found.held, *sums.values()])
    assert all(held.get(key, 0) <= offered.get(key, 0) for key in summed(sums.values()))


@given(snapshots())
def test_a_plan_is_deterministic_and_each_one_is_admitted_or_told_why_it_waits(found: Snapshot) -> None:
    made = plan(found)
    assert plan(found) == made
    known = set(made.admit) | made.wait.keys()
    assert known == {item.id for item in found.waiting if not item.blocked}
    assert not set(made.admit) & made.wait.keys()


@given(snapshots())
def test_order_is_kept_and_later_ones_change_nothing_for_earlier_ones(found: Snapshot) -> None:
    made = plan(found)
    order = [item.id for item in found.waiting]
    assert made.admit == [key for key in order if key in set(made.admit)]
    half = replace(found, waiting=found.waiting[: len(order) // 2])
    assert plan(half).admit == made.admit[: len(plan(half).admit)]


@given(snapshots())
def test_nobody_overtakes_in_their_own_tenant_but_past_what_can_never_start(found: Snapshot) -> None:
    made = plan(found)
    passing = {Reason.TOO_LARGE, Reason.TENANT_NOT_READY}
    held_up: set[UUID] = set()
    for item in found.waiting:
        wait = made.wait.get(item.id)
        if item.id in made.admit:
            assert item.tenant_id not in held_up
        elif wait and wait.reason not in passing and not found.book.above_ceiling(item.tenant_id, item.asks):
            held_up.add(item.tenant_id)


def cohort_book(*rows: tuple[UUID, int, int, int, int]) -> Book:
    """Return ledgers of GPUs of one cohort: tenant, nominal, what it may borrow, what it lends, what it uses."""
    found = {
        (tenant, GPUS): Line(bounds=Bounds(nominal=nominal, borrow_limit=borrow, lend_limit=lend), used=used)
        for tenant, nominal, borrow, lend, used in rows
    }
    return Book(found, {(COHORT, GPUS): pool_of(found.values())}, {tenant: COHORT for tenant, *_ in rows})


def gpu_job(number: int, tenant: UUID, gpus: int) -> Waiting:
    return Waiting(UUID(int=1_000 + number), tenant, {GPUS: gpus})


def cohort_plan(book: Book, *waiting: Waiting) -> Plan:
    nodes = [NodeView({GPUS: 16}, True)]
    return plan(snapshot(*waiting, book=book, nodes=nodes, cohort_names={COHORT: "research"}))


def test_a_tenant_borrows_what_its_cohort_does_not_use() -> None:
    book = cohort_book((VISION, 2, 4, 0, 2), (SPEECH, 8, 0, 4, 0))
    ask = gpu_job(1, VISION, 4)
    assert cohort_plan(book, ask).admit == [ask.id]


def test_who_waits_to_borrow_is_told_what_is_free_of_its_own_and_what_the_cohort_could_lend() -> None:
    book = cohort_book((VISION, 8, 4, 0, 6), (SPEECH, 4, 0, 4, 3))
    ask = gpu_job(1, VISION, 4)
    numbers = {"resource": GPUS, "asked": 4, "held": 6, "limit": 8, "cohort": "research", "ceiling": 12, "lendable": 1}
    assert cohort_plan(book, ask).wait == {ask.id: Wait(Reason.OVER_QUOTA, numbers)}


def test_what_a_cohort_could_never_lend_holds_up_nobody() -> None:
    book = cohort_book((VISION, 2, 8, 0, 2), (SPEECH, 8, 0, 2, 0))
    large, small = gpu_job(1, VISION, 6), gpu_job(2, VISION, 2)
    made = cohort_plan(book, large, small)
    assert (reasons(made), made.admit) == ([Reason.OVER_QUOTA], [small.id])


def test_nobody_borrows_past_one_who_waits_to_borrow() -> None:
    book = cohort_book((VISION, 0, 4, 0, 0), (SPEECH, 4, 0, 4, 1), (SOUND, 0, 4, 0, 0))
    large, small = gpu_job(1, VISION, 4), gpu_job(2, SOUND, 1)
    made = cohort_plan(book, large, small)
    assert made.admit == []
    assert made.wait[small.id] == Wait(Reason.BEHIND_OTHERS, {"scope": "cohort"})


def test_a_borrower_behind_takes_exactly_what_is_left_beside_one_who_waits_to_borrow() -> None:
    lender = (SPEECH, 8, 0, 8, 2)
    book = cohort_book((VISION, 0, 8, 0, 1), lender, (SOUND, 0, 4, 0, 0))
    waits, fits = gpu_job(1, VISION, 6), gpu_job(2, SOUND, 1)
    assert cohort_plan(book, waits, fits).wait[fits.id] == Wait(Reason.BEHIND_OTHERS, {"scope": "cohort"})
    other = UUID(int=98)
    rows = {(VISION, GPUS): Line(bounds=Bounds(nominal=0, borrow_limit=8), used=1)}
    rows |= {(SPEECH, GPUS): Line(bounds=Bounds(nominal=8, lend_limit=8), used=2)}
    rows |= {(SOUND, GPUS): Line(bounds=Bounds(nominal=0, borrow_limit=4))}
    apart = {(COHORT, GPUS): pool_of([rows[VISION, GPUS], rows[SPEECH, GPUS]]), (other, GPUS): pool_of([Line()])}
    apart[other, GPUS] = replace(apart[other, GPUS], lendable=1)
    made = cohort_plan(Book(rows, apart, {VISION: COHORT, SPEECH: COHORT, SOUND: other}), waits, fits)
    assert made.admit == [fits.id]


def test_who_waits_for_one_resource_of_a_pool_keeps_its_others_as_well() -> None:
    rows = {
        (VISION, GPUS): Line(bounds=Bounds(nominal=0, borrow_limit=4)),
        (VISION, "fpgas"): Line(bounds=Bounds(nominal=0, borrow_limit=4)),
        (SOUND, "fpgas"): Line(bounds=Bounds(nominal=0, borrow_limit=4)),
        (SPEECH, GPUS): Line(bounds=Bounds(nominal=4, lend_limit=4), used=4),
        (SPEECH, "fpgas"): Line(bounds=Bounds(nominal=4, lend_limit=4)),
    }
    pools = {(COHORT, key): pool_of(row for (_t, k), row in rows.items() if k == key) for key in (GPUS, "fpgas")}
    book = Book(rows, pools, dict.fromkeys((VISION, SPEECH, SOUND), COHORT))
    waits = Waiting(UUID(int=1_001), VISION, {GPUS: 2, "fpgas": 3})
    behind, fits = (Waiting(UUID(int=1_002), SOUND, {"fpgas": 2}), Waiting(UUID(int=1_003), SOUND, {"fpgas": 1}))
    nodes = [NodeView({GPUS: 16, "fpgas": 16}, True)]
    names = {COHORT: "research"}
    made = plan(snapshot(waits, behind, book=book, nodes=nodes, cohort_names=names))
    assert made.wait[behind.id] == Wait(Reason.BEHIND_OTHERS, {"scope": "cohort"})
    assert plan(snapshot(waits, fits, book=book, nodes=nodes, cohort_names=names)).admit == [fits.id]


def test_a_lender_takes_its_own_quota_past_one_who_waits_to_borrow() -> None:
    book = cohort_book((VISION, 0, 4, 0, 0), (SPEECH, 4, 0, 4, 1))
    borrower, lender = gpu_job(1, VISION, 4), gpu_job(2, SPEECH, 3)
    assert cohort_plan(book, borrower, lender).admit == [lender.id]


def test_what_is_left_beside_one_who_waits_to_borrow_can_be_borrowed() -> None:
    book = cohort_book((VISION, 0, 4, 0, 0), (SPEECH, 8, 0, 8, 5), (SOUND, 0, 4, 0, 0))
    waits, fits = gpu_job(1, VISION, 4), gpu_job(2, SOUND, 1)
    assert cohort_plan(book, waits, fits).admit == []
    book = cohort_book((VISION, 0, 4, 0, 1), (SPEECH, 8, 0, 8, 2), (SOUND, 0, 4, 0, 0))
    assert cohort_plan(book, gpu_job(1, VISION, 3), gpu_job(2, SOUND, 2)).admit == [UUID(int=1_001), UUID(int=1_002)]


def test_ten_thousand_waiting_are_planned_within_a_second() -> None:
    tenants = [UUID(int=n) for n in range(100)]
    waiting = [job(n, tenant=tenants[n % 100], cpu=100 + n % 900) for n in range(10_000)]
    found = snapshot(
        *waiting,
        book=roomy(*tenants),
        ready=frozenset(tenants),
        nodes=[NODE] * 500,
        held=amounts(3_000_000, 4_000_000),
    )
    started = time.perf_counter()
    made = plan(found)
    assert time.perf_counter() - started < 1.0
    assert len(made.admit) + len(made.wait) == 10_000
