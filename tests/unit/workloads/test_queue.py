"""The plan: never above a limit, first come first served, the same snapshot the same plan."""

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from workloads.queue import Amount, ClusterView, NodeView, Plan, Snapshot, TenantView, Wait, Waiting, plan
from workloads.specs import Reason

VISION, SPEECH = UUID(int=1), UUID(int=2)
NODE = NodeView(Amount(8_000, 16_384, 4, 100), True)
ROOMY = TenantView(True, Amount(8_000, 16_384, 4, 100), Amount())


def job(number: int, *, tenant: UUID = VISION, cpu: int = 1_000, gpus: int = 0, blocked: bool = False) -> Waiting:
    return Waiting(UUID(int=1_000 + number), tenant, Amount(cpu, 1_024, gpus, 1), blocked)


def snapshot(*waiting: Waiting, **changes: Any) -> Snapshot:
    built: dict[str, Any] = {
        "cluster": ClusterView.KNOWN,
        "tenants": {VISION: ROOMY, SPEECH: ROOMY},
        "nodes": [NODE],
        "waiting": list(waiting),
        "held": Amount(),
        **changes,
    }
    return Snapshot(**built)


def reasons(made: Plan) -> list[Reason]:
    return [wait.reason for wait in made.wait.values()]


def test_what_fits_is_admitted_in_order() -> None:
    waiting = [job(3), job(1), job(2)]
    assert plan(snapshot(*waiting)) == Plan(admit=[item.id for item in waiting])


def test_the_first_over_the_limit_says_the_numbers_and_holds_up_those_behind_it() -> None:
    tenant = TenantView(True, Amount(4_000, 16_384, 4, 100), Amount(3_000, 1_024, 0, 1))
    made = plan(snapshot(job(1, cpu=2_000), job(2, cpu=500), tenants={VISION: tenant}))
    numbers = {"resource": "cpu_millicores", "asked": 2_000, "held": 3_000, "limit": 4_000}
    assert list(made.wait.values()) == [
        Wait(Reason.OVER_QUOTA, numbers),
        Wait(Reason.BEHIND_OTHERS, {"scope": "tenant"}),
    ]


def test_a_tenant_at_its_limit_holds_up_no_other_tenant() -> None:
    full = TenantView(True, Amount(1_000, 16_384, 4, 100), Amount(1_000, 1_024, 0, 1))
    second = job(2, tenant=SPEECH)
    assert plan(snapshot(job(1), second, tenants={VISION: full, SPEECH: ROOMY})).admit == [second.id]


def test_each_resource_has_its_limit() -> None:
    for index, name in enumerate(Amount._fields):
        limits = ROOMY.limits._replace(**{name: 1})
        tenant = TenantView(True, limits, Amount()._replace(**{name: 1}))
        ask = Waiting(UUID(int=9), VISION, Amount()._replace(**{name: 1}))
        made = plan(snapshot(ask, tenants={VISION: tenant}))
        assert made.wait[ask.id].params["resource"] == Amount._fields[index]


def test_a_full_cluster_keeps_room_for_the_first_in_line_whoever_comes_behind() -> None:
    large, small, no_gpu = job(1, gpus=3), job(2, tenant=SPEECH, gpus=2), job(3, tenant=UUID(int=3))
    tenants = {VISION: ROOMY, SPEECH: ROOMY, UUID(int=3): ROOMY}
    made = plan(snapshot(large, small, no_gpu, held=Amount(gpus=2), tenants=tenants))
    assert made.wait[large.id] == Wait(Reason.NO_CAPACITY, {"resource": "gpus", "asked": 3, "free": 2})
    assert made.wait[small.id] == Wait(Reason.BEHIND_OTHERS, {"scope": "cluster"})
    assert made.admit == [no_gpu.id]


def test_what_no_node_can_run_says_so_and_holds_up_nobody() -> None:
    large, small = job(1, cpu=6_000), job(2)
    nodes = [NodeView(Amount(4_000, 16_384, 0, 100), True), NodeView(Amount(2_000, 32_768, 4, 100), True)]
    made = plan(snapshot(large, small, nodes=nodes))
    assert made.wait == {
        large.id: Wait(Reason.TOO_LARGE, {"resource": "cpu_millicores", "asked": 6_000, "largest": 4_000})
    }
    assert made.admit == [small.id]


def test_a_combination_that_no_single_node_has_is_too_large_as_well() -> None:
    nodes = [NodeView(Amount(8_000, 16_384, 0, 100), True), NodeView(Amount(2_000, 16_384, 4, 100), True)]
    ask = job(1, cpu=4_000, gpus=1)
    assert plan(snapshot(ask, nodes=nodes)).wait == {
        ask.id: Wait(Reason.TOO_LARGE, {"resource": "gpus", "asked": 1, "largest": 0})
    }


def test_more_than_the_whole_limit_holds_up_nobody() -> None:
    tenant = TenantView(True, Amount(1_000, 16_384, 4, 100), Amount())
    large, small = job(1, cpu=2_000), job(2)
    made = plan(snapshot(large, small, tenants={VISION: tenant}))
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
    made = plan(snapshot(job(1), job(2, tenant=SPEECH), tenants={VISION: TenantView(False, ROOMY.limits, Amount())}))
    assert reasons(made) == [Reason.TENANT_NOT_READY, Reason.TENANT_NOT_READY]


def test_a_retry_whose_old_pods_are_still_there_keeps_its_reason_and_holds_up_nobody() -> None:
    made = plan(snapshot(job(1, blocked=True), job(2)))
    assert made == Plan(admit=[job(2).id])


amounts = st.builds(Amount, *(st.integers(0, most) for most in (5_000, 8_192, 4)), st.integers(0, 20))
asked = st.builds(Amount, st.integers(10, 3_000), st.integers(16, 4_096), st.integers(0, 2), st.just(1))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    keys = [UUID(int=number) for number in range(1, draw(st.integers(1, 4)) + 1)]
    tenants = {key: TenantView(draw(st.booleans()), draw(amounts), draw(amounts)) for key in keys}
    held = Amount()
    for tenant in tenants.values():
        held = held.plus(tenant.held)
    asks = draw(st.lists(st.tuples(st.sampled_from(keys), asked, st.booleans()), max_size=25))
    return Snapshot(
        cluster=ClusterView.KNOWN,
        tenants=tenants,
        nodes=draw(st.lists(st.builds(NodeView, amounts, st.booleans()), max_size=6)),
        waiting=[Waiting(UUID(int=100 + n), *ask) for n, ask in enumerate(asks)],
        held=held,
    )


def taken(found: Snapshot, made: Plan) -> Mapping[UUID, Amount]:
    sums: dict[UUID, Amount] = {}
    for item in found.waiting:
        if item.id in made.admit:
            sums[item.tenant_id] = sums.get(item.tenant_id, Amount()).plus(item.asks)
    return sums


def total(values: Sequence[Amount]) -> Amount:
    result = Amount()
    for value in values:
        result = result.plus(value)
    return result


@given(snapshots())
def test_no_plan_goes_above_a_tenant_or_the_cluster(found: Snapshot) -> None:
    sums = taken(found, plan(found))
    for key, amount in sums.items():
        tenant = found.tenants[key]
        assert tenant.ready
        assert not tenant.limits.minus(tenant.held).lacks(amount)
    offered = total([node.offers for node in found.nodes if node.usable])
    assert not offered.minus(found.held).lacks(total(list(sums.values())))


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
    half = Snapshot(
        cluster=found.cluster,
        tenants=found.tenants,
        nodes=found.nodes,
        waiting=found.waiting[: len(order) // 2],
        held=found.held,
    )
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
        elif wait and wait.reason not in passing and not found.tenants[item.tenant_id].limits.lacks(item.asks):
            held_up.add(item.tenant_id)


def test_ten_thousand_waiting_are_planned_within_a_second() -> None:
    tenants = {UUID(int=n): ROOMY for n in range(100)}
    waiting = [job(n, tenant=UUID(int=n % 100), cpu=100 + n % 900) for n in range(10_000)]
    found = snapshot(*waiting, tenants=tenants, nodes=[NODE] * 500, held=Amount(3_000_000, 4_000_000, 0, 0))
    started = time.perf_counter()
    made = plan(found)
    assert time.perf_counter() - started < 1.0
    assert len(made.admit) + len(made.wait) == 10_000
