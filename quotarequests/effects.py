"""Reads what a simulation needs: the cohort's ledger, who waits in it, what the cluster has. Three statements."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, F, FilteredRelation, OuterRef, Q

from portal.core.models import User
from quotarequests.simulation import Asking, Effect, World, effect_of
from tenants.ledger import Book, Line, Pool
from tenants.models import QuotaLine, Tenant
from tenants.specs import Amounts
from workloads.holdings import balance_of
from workloads.models import Workload
from workloads.specs import State
from workloads.waits import Queued, queued_of


@dataclass(frozen=True, slots=True)
class Simulated:
    """An effect, with the names of those it speaks of."""

    effect: Effect
    slugs: dict[UUID, str]
    starts: list[Queued]


def simulated(*, user: User, tenant: Tenant, amounts: Amounts) -> Simulated:
    """Return what new nominal amounts of a tenant would do now. Three statements.

    For who decides: it tells of other tenants. `user` only bounds which nodes count.
    """
    book, slugs = _cohort_book(tenant, list(amounts))
    queued = queued_of(list(slugs))
    balance = balance_of(user=user)
    capacity = {key: balance.offered[key] for key in balance.offered} if balance.nodes else {}
    world = World(
        book=book,
        tenants=list(slugs),
        waiting=[Asking(item.id, item.tenant_id, item.asks) for item in queued],
        promised=balance.promised,
        capacity=capacity,
        free={key: max(0, offered - balance.held.get(key, 0)) for key, offered in capacity.items()},
    )
    effect = effect_of(world, tenant.pk, amounts)
    by_id = {item.id: item for item in queued}
    return Simulated(effect, slugs, [by_id[found] for found in effect.starts])


def _cohort_book(tenant: Tenant, keys: Collection[str]) -> tuple[Book, dict[UUID, str]]:
    """Return the ledger of a tenant and the others of its cohort, and their slugs.

    Of these types for all of them; of every type for those whose work waits.
    """
    together = Q(tenant=tenant) | Q(tenant__cohort=tenant.cohort_id) if tenant.cohort_id else Q(tenant=tenant)
    waits = Exists(Workload.objects.filter(tenant=OuterRef("tenant"), state=State.QUEUED))
    rows = QuotaLine.objects.filter(together, Q(type__key__in=keys) | waits).select_related("type", "tenant")
    of_type = Q(tenant__cohort__pool_lines__type=F("type"))
    joined = rows.annotate(pool=FilteredRelation("tenant__cohort__pool_lines", condition=of_type)).annotate(
        pool_lendable=F("pool__lendable"), pool_used=F("pool__used"), pool_overhang=F("pool__overhang")
    )
    lines: dict[tuple[UUID, str], Line] = {}
    pools: dict[tuple[UUID, str], Pool] = {}
    slugs = {tenant.pk: tenant.slug}
    for row in joined.order_by("tenant__slug"):
        lines[row.tenant_id, row.type.key] = row.line
        slugs[row.tenant_id] = row.tenant.slug
        if tenant.cohort_id is not None and row.pool_lendable is not None:
            found = Pool(lendable=row.pool_lendable, used=row.pool_used, overhang=row.pool_overhang)
            pools[tenant.cohort_id, row.type.key] = found
    cohorts = dict.fromkeys(slugs, tenant.cohort_id) if tenant.cohort_id is not None else {}
    return Book(lines, pools, cohorts), slugs
