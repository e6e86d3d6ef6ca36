"""What tenants hold now, and what the cluster's nodes offer: sums only. Each function costs one statement."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum, UUIDField, Value
from django.db.models.functions import Coalesce

from gpu.models import Node
from portal.core.models import User
from tenants.specs import Limits
from workloads.models import Attempt


@dataclass(frozen=True, slots=True)
class Balance:
    """The holdings of each tenant that holds anything, of all together, and what the nodes that take work offer."""

    held: Mapping[uuid.UUID, Limits]
    held_by_all: Limits
    offered: Limits
    nodes: int
    usable_nodes: int


def held_by_tenants(tenant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Limits]:
    """Return what the unreleased attempts of each tenant hold; who holds nothing is left out."""
    rows = Attempt.objects.filter(released_at__isnull=True, tenant_id__in=list(tenant_ids)).values("tenant_id")
    columns = [f"held_{name}" for name in _NAMES]
    return {row[0]: _limits(row[1:]) for row in rows.annotate(**_SUMS).values_list("tenant_id", *columns)}


def held_by_all() -> Limits:
    """Return what the unreleased attempts of all tenants hold together."""
    row = Attempt.objects.filter(released_at__isnull=True).aggregate(**_SUMS)
    return _limits(row[f"held_{name}"] for name in _NAMES)


def balance_of(*, user: User) -> Balance:
    """Return holdings and offers together, for the start page."""
    held = Attempt.objects.filter(released_at__isnull=True).values("tenant_id").annotate(**_SUMS)
    columns = [f"held_{name}" for name in _NAMES]
    of_tenants = held.values_list("tenant_id", *columns, Value(0), Value(0))
    usable = Q(ready=True, unschedulable=False)
    offers = {f"held_{name}": Coalesce(Sum(_COLUMNS[name], filter=usable), 0) for name in _NAMES}
    nodes = Node.objects.visible_to(user).annotate(nobody=Value(None, output_field=UUIDField())).values("nobody")
    counted = nodes.annotate(**offers, all=Count("pk"), usable=Count("pk", filter=usable))
    rows = list(of_tenants.union(counted.values_list("nobody", *columns, "all", "usable"), all=True))
    by_tenant = {row[0]: _limits(row[1:5]) for row in rows if row[0] is not None}
    offered = next((row for row in rows if row[0] is None), (None, 0, 0, 0, 0, 0, 0))
    together = _limits(sum(row[index] or 0 for row in rows if row[0] is not None) for index in range(1, 5))
    return Balance(by_tenant, together, _limits(offered[1:5]), offered[5], offered[6])


_COLUMNS = {"cpu": "cpu_millicores", "memory": "memory_mib", "pods": "pods", "gpus": "gpus"}
_NAMES = tuple(_COLUMNS)
_SUMS: dict[str, Any] = {f"held_{name}": Sum(column) for name, column in _COLUMNS.items()}


def _limits(amounts: Any) -> Limits:
    cpu, memory, pods, gpus = (int(amount or 0) for amount in amounts)
    return Limits(cpu_millicores=cpu, memory_mib=memory, pods=pods, gpus=gpus)
