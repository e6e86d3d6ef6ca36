"""What tenants allow of their quota to whom and what their work holds of it, read for a plan (see `tenants.shares`)."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Count

from tenants.models import Tenant
from tenants.shares import Held, Limits, Shares, Who
from tenants.specs import Priority
from workloads.models import Attempt


def shares_of(tenants: Collection[Tenant]) -> Shares:
    """Return the shares of these tenants; what their work holds is what the ledger has not got back.

    One statement, none where no tenant bounds anything. Of tenants that are locked it stays true until the commit.
    """
    limits = {
        tenant.pk: Limits(most_running=tenant.max_running) for tenant in tenants if tenant.max_running is not None
    }
    return Shares(limits, _held(list(limits)) if limits else ())


def _held(tenant_ids: Collection[UUID]) -> list[Held]:
    """Return what unsettled attempts hold, alike ones counted together. One statement."""
    rows = Attempt.objects.filter(settled=False, tenant__in=tenant_ids)
    alike = rows.values_list("tenant_id", "workload__owner_id", "workload__priority_rank", "holds")
    priorities = list(Priority)
    return [
        Held(Who(tenant, owner, priorities[rank]), holds, count)
        for tenant, owner, rank, holds, count in alike.annotate(count=Count("pk"))
    ]
