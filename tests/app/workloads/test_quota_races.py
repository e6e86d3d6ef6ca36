"""Everybody at once on one ledger: two queues tick, quotas move, work ends and is cancelled; no sum is ever wrong."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from gpu.models import Node
from portal.core import leases
from portal.core.errors import Rejected
from portal.core.leases import Held
from portal.core.models import ClusterStatus, User
from tenants.ledger import Bounds
from tenants.models import PoolLine, QuotaLine, Tenant
from tenants.quotaservices import cohort_create, cohort_of_tenant_set, quota_set
from tenants.specs import Excess
from tests.quota import used_by
from workloads.admission import QUEUE, tick
from workloads.ledgercheck import differences
from workloads.models import Attempt, Workload
from workloads.services import workload_cancel
from workloads.settling import settle
from workloads.specs import State

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 12
EACH = 20


@pytest.fixture
def held(db: None) -> Held:
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=640_000, memory_mib=655_360, pods=1100, gpus=80)
    ClusterStatus.objects.update_or_create(id=1, defaults={"reachable_at": Now(), "synced_at": Now()})
    found = leases.acquire(QUEUE, "test", ttl_s=600)
    assert found is not None
    return found


@pytest.fixture
def cohort(platform_admin: User, make_tenant: Callable[..., Tenant]) -> list[Tenant]:
    """Three tenants of one cohort, each with four GPUs, of which it lends and may borrow some."""
    made = cohort_create(actor=platform_admin, name="research")
    tenants = [make_tenant(slug, limits={"gpus": 4}) for slug in ("vision", "speech", "sound")]
    for tenant in tenants:
        cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=made)
        bounds = Bounds(nominal=4, borrow_limit=4, lend_limit=3)
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": bounds})
    return tenants


def together(*works: Callable[[], object]) -> None:
    """Run these at the same time, each with a connection of its own; raise what any of them raises."""
    go = threading.Barrier(len(works))

    def start(work: Callable[[], object]) -> None:
        try:
            go.wait(30)
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(start, work) for work in works]:
            done.result()


def ticks(held: Held) -> None:
    for _ in range(ROUNDS):
        tick(held)


def releases(dice: random.Random) -> None:
    for _ in range(ROUNDS * 2):
        running = list(Attempt.objects.filter(released_at__isnull=True).values_list("pk", flat=True))
        if running:
            Attempt.objects.filter(pk=dice.choice(running), released_at=None).update(released_at=Now())


def quota_changes(dice: random.Random, tenants: Sequence[Tenant], admin: User) -> None:
    for _ in range(ROUNDS):
        nominal = dice.randrange(8)
        bounds = Bounds(nominal=nominal, borrow_limit=dice.randrange(6), lend_limit=dice.randrange(nominal + 1))
        with suppress(Rejected):  # in no cohort at that moment
            quota_set(actor=admin, tenant=dice.choice(tenants), bounds={"gpus": bounds}, excess=Excess.KEEP)


def moves(dice: random.Random, tenants: Sequence[Tenant], admin: User) -> None:
    cohort = Tenant.objects.get(pk=tenants[0].pk).cohort
    for tenant in dice.sample(list(tenants), 2):
        cohort_of_tenant_set(actor=admin, tenant=tenant, cohort=None, keep=True)
        cohort_of_tenant_set(actor=admin, tenant=tenant, cohort=cohort)


def cancels(dice: random.Random, workloads: Sequence[Workload], owner: User) -> None:
    for workload in dice.sample(list(workloads), len(workloads) // 4):
        workload_cancel(actor=owner, workload=workload)


def bounds_kept() -> None:
    """Read many states that were committed meanwhile: no row of any of them may be beyond its bounds."""
    for _ in range(ROUNDS * 4):
        over = QuotaLine.objects.filter(used__gt=F("nominal") + F("borrow_limit") + F("overhang"))
        assert not over.exists()
        assert not PoolLine.objects.filter(used__gt=F("lendable") + F("overhang")).exists()


@pytest.mark.parametrize("seed", range(4))
def test_ticks_releases_cancels_and_changes_of_quota_at_once_leave_every_sum_right(
    held: Held, cohort: list[Tenant], platform_admin: User, make_workload: Callable[..., Workload], seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311 (a seed to repeat it by)
    workloads = [
        make_workload(tenant, platform_admin, gpus=dice.randrange(1, 4)) for tenant in cohort for _ in range(EACH)
    ]
    others = [random.Random(seed * 10 + n) for n in range(4)]  # noqa: S311 (the same)
    together(
        partial(ticks, held),
        partial(ticks, held),
        partial(releases, others[0]),
        partial(quota_changes, others[1], cohort, platform_admin),
        partial(moves, others[2], cohort, platform_admin),
        partial(cancels, others[3], workloads, platform_admin),
        bounds_kept,
    )
    assert differences() == []
    assert Attempt.objects.exists()
    Attempt.objects.filter(released_at__isnull=True).update(released_at=Now())
    settle()
    assert [used_by(tenant) for tenant in cohort] == [{}, {}, {}]
    assert differences() == []


def test_exactly_what_fits_is_admitted_of_fifty_by_two_queues_at_once(
    held: Held, make_tenant: Callable[..., Tenant], platform_admin: User, make_workload: Callable[..., Workload]
) -> None:
    tenant = make_tenant("vision", limits={"gpus": 10, "pods": 100})
    for _ in range(50):
        make_workload(tenant, platform_admin, gpus=1)
    together(partial(ticks, held), partial(ticks, held), bounds_kept)
    assert Workload.objects.filter(state=State.STARTING).count() == 10
    assert (used_by(tenant)["gpus"], differences()) == (10, [])
