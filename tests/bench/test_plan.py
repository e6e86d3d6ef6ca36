"""What a plan of 1,000 waiting workloads costs, beside a loop that does nothing. Printed, never asserted."""

import time
from collections.abc import Callable
from uuid import UUID

import pytest

from tenants.ledger import Book, Bounds, Line, pool_of
from tenants.shares import Limits, Shares
from tenants.specs import CPU, GPUS, MEMORY, PODS, Priority
from tests.plugins.figures import Figure
from workloads.asks import asked_by
from workloads.queue import ClusterView, NodeView, Plan, Snapshot, Waiting, plan

pytestmark = pytest.mark.bench
TENANTS = [UUID(int=n + 1) for n in range(100)]
COHORTS = [UUID(int=1_000 + n) for n in range(10)]
TYPES = [CPU, MEMORY, GPUS, PODS, *(f"device_{n}" for n in range(16))]
WAITING = 1_000


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the processor time of one call, the least of five."""
    times = []
    for _ in range(5):
        started = time.process_time()
        work()
        times.append((time.process_time() - started) * 1000)
    return min(times)


def snapshot(nominal: int) -> Snapshot:
    """Return 1,000 waiting of 100 tenants in 10 cohorts, with 20 resource types and shares, before 500 nodes."""
    bounds = Bounds(nominal=nominal, borrow_limit=nominal, lend_limit=nominal // 2)
    lines = {(tenant, key): Line(bounds=bounds) for tenant in TENANTS for key in TYPES}
    cohorts = {tenant: COHORTS[n % len(COHORTS)] for n, tenant in enumerate(TENANTS)}
    pools = {
        (cohort, key): pool_of(lines[tenant, key] for tenant in TENANTS if cohorts[tenant] == cohort)
        for cohort in COHORTS
        for key in TYPES
    }
    each = dict.fromkeys(TYPES, nominal)
    limits = Limits(each=each, priorities={Priority.NORMAL: each}, most_running=WAITING)
    offers = {CPU: 64_000, MEMORY: 262_144, GPUS: 8, PODS: 110}
    return Snapshot(
        cluster=ClusterView.KNOWN,
        ready=frozenset(TENANTS),
        book=Book(lines, pools, cohorts),
        nodes=[NodeView(offers, True)] * 500,
        waiting=[waiting(n) for n in range(WAITING)],
        held={},
        shares=Shares(dict.fromkeys(TENANTS, limits)),
    )


def waiting(n: int) -> Waiting:
    """Return a request of one of 100 tenants and 300 people."""
    asks = asked_by(1_000, 1_024, 1)
    return Waiting(UUID(int=10_000 + n), TENANTS[n % len(TENANTS)], asks, owner_id=UUID(int=n % 300))


@pytest.mark.parametrize(("name", "nominal"), [("all fit", 1_000_000), ("few fit", 512)])
def test_a_plan_of_a_thousand_waiting_is_measured_beside_a_loop_that_does_nothing(
    figure: Figure, name: str, nominal: int
) -> None:
    found, made = snapshot(nominal), list[Plan]()
    planned = cpu_ms(lambda: made.append(plan(found)))
    idle = cpu_ms(lambda: [item.id for item in found.waiting])
    assert (len(made[0].admit) == WAITING) is (name == "all fit")
    assert len(made[0].admit) + len(made[0].wait) == WAITING
    figure(f"{name}: {planned:.1f} ms of processor for {WAITING:,} waiting; a loop over them {idle:.2f} ms")
