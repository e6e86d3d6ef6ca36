"""What tenants allow of their quota to whom and what their work holds of it, read for a plan (see `tenants.shares`)."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import Count

from tenants.models import QuotaShare, Tenant
from tenants.shares import Held, Limits, Shares, Who
from tenants.specs import Priority
from workloads.models import Attempt


def shares_of(tenants: Collection[Tenant]) -> Shares:
    """Return the shares of these tenants; what their work holds is what the ledger has not got back.

    Two statements where a tenant has shares, one where it only bounds how many run, none where no tenant bounds
    anything. Of tenants that are locked it stays true until the commit.
    """
    rows = _rows([tenant.pk for tenant in tenants if tenant.has_shares])
    bounding = [tenant for tenant in tenants if tenant.has_shares or tenant.max_running is not None]
    limits = {tenant.pk: limits_of(rows[tenant.pk], most_running=tenant.max_running) for tenant in bounding}
    return Shares(limits, _held_by([tenant.pk for tenant in bounding]) if bounding else ())


def limits_of(rows: Iterable[QuotaShare], *, most_running: int | None = None) -> Limits:
    """Return what the rows of a tenant, with their types, allow."""
    each: dict[str, int] = {}
    users: dict[UUID, dict[str, int]] = defaultdict(dict)
    priorities: dict[Priority, dict[str, int]] = defaultdict(dict)
    for row in rows:
        if row.user_id is not None:
            users[row.user_id][row.type.key] = row.limit
        elif row.priority:
            priorities[Priority(row.priority)][row.type.key] = row.limit
        else:
            each[row.type.key] = row.limit
    return Limits(each=each, users=users, priorities=priorities, most_running=most_running)


def _rows(tenant_ids: Collection[UUID]) -> dict[UUID, list[QuotaShare]]:
    found: dict[UUID, list[QuotaShare]] = defaultdict(list)
    rows = QuotaShare.objects.filter(tenant__in=tenant_ids).select_related("type")
    for row in rows if tenant_ids else ():
        found[row.tenant_id].append(row)
    return found


def _held_by(tenant_ids: Collection[UUID]) -> list[Held]:
    """Return what unsettled attempts hold, alike ones counted together. One statement."""
    rows = Attempt.objects.filter(settled=False, tenant__in=tenant_ids).values_list(
        "tenant_id", "workload__owner_id", "workload__priority_rank", "holds"
    )
    priorities = list(Priority)
    return [
        Held(Who(tenant, owner, priorities[rank]), holds, count)
        for tenant, owner, rank, holds, count in rows.annotate(count=Count("pk"))
    ]
