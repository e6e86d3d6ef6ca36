"""Which attempts hold a tenant's quota now: all that are not settled, however their workload fares."""

from typing import Any

from django.db.models import Count, Exists, FloatField, OuterRef, QuerySet, Window
from django.db.models.expressions import RawSQL
from django.urls import reverse

from portal.core import policy
from portal.core.models import User
from portal.core.policy import Action
from tenants.holders import Holder, Holders
from tenants.models import Tenant
from workloads.models import Attempt, Workload

# The largest share that it takes of what its tenant may hold of any one type.
_SHARE = """(
    SELECT MAX(held.value::float8 / GREATEST(line.nominal + line.borrow_limit + line.overhang, 1))
    FROM jsonb_each_text(workloads_attempt.holds) held
    JOIN tenants_resourcetype type ON type.key = held.key
    JOIN tenants_quotaline line ON line.type_id = type.id AND line.tenant_id = workloads_attempt.tenant_id
)"""


def holding_attempts(*, user: User, tenant: Tenant) -> QuerySet[Any]:
    """Return the attempts that hold a tenant's quota with their workloads and owners, in no order.

    `share` is the largest part that each takes of any limit (1 = all of it), `shown` whether the user may open its
    workload. Raises NotVisible, Denied.
    """
    policy.require(user, Action.WORKLOAD_VIEW, tenant)
    visible = Workload.objects.visible_to(user).filter(pk=OuterRef("workload_id"))
    held = Attempt.objects.filter(tenant=tenant, settled=False).select_related("workload", "workload__owner")
    names = ("workload__name", "workload__state", "workload__owner__username")
    share = RawSQL(_SHARE, (), output_field=FloatField())  # noqa: S611 (a constant)
    return held.annotate(share=share, shown=Exists(visible)).only("n", "created", "holds", "workload_id", *names)


def holders_of(user: User, tenant: Tenant, most: int) -> Holders:
    """Return what holds a tenant's quota, at most so many, the largest first. One statement. Raises NotVisible."""
    counted = holding_attempts(user=user, tenant=tenant).annotate(total=Window(Count("*")))
    rows: list[Any] = list(counted.order_by("-share", "created", "pk")[:most])
    return Holders([_holder(row) for row in rows], rows[0].total if rows else 0)


def _holder(row: Any) -> Holder:
    workload = row.workload
    return Holder(
        name=workload.name,
        url=reverse("workloads:detail", args=[workload.pk]) if row.shown else "",
        owner=workload.owner.get_username(),
        state=workload.state,
        since=row.created,
        holds=row.holds,
    )
