"""What all tenants hold now, and what the cluster's nodes offer: sums only. Each function costs one statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, CharField, Count, F, Q, Sum, Value
from django.db.models.functions import Cast, Coalesce

from gpu.models import Node
from gpu.selectors import COLUMNS
from portal.core.models import User
from tenants.models import QuotaLine


@dataclass(frozen=True, slots=True)
class Balance:
    """By resource type: what all work holds together, the nominal quota of all, and what usable nodes offer."""

    held: Mapping[str, int]
    promised: Mapping[str, int]
    offered: Mapping[str, int]
    nodes: int
    usable_nodes: int


def held_by_all() -> dict[str, int]:
    """Return what the work of all tenants holds together, by resource type."""
    rows = QuotaLine.objects.values_list("type__key").annotate(held=Sum("used")).filter(held__gt=0)
    return {key: int(held) for key, held in rows}


def balance_of(*, user: User) -> Balance:
    """Return holdings, quotas and offers together."""
    nothing = Value(0, output_field=BigIntegerField())
    held = QuotaLine.objects.values(key=F("type__key")).annotate(
        held=_whole(Sum("used")), promised=_whole(Sum("nominal"))
    )
    padded = held.values_list("key", "held", "promised", *[nothing] * len(COLUMNS))
    usable = Q(ready=True, unschedulable=False)
    offers = {f"offered_{key}": _whole(Sum(column, filter=usable)) for key, column in COLUMNS.items()}
    nodes = Node.objects.visible_to(user).annotate(key=Value("", output_field=CharField())).values("key")
    counted = nodes.annotate(all=_whole(Count("pk")), usable=_whole(Count("pk", filter=usable)), **offers)
    rows = list(padded.union(counted.values_list("key", "all", "usable", *offers), all=True))
    none: tuple[Any, ...] = ("", *[0] * (len(COLUMNS) + 2))
    by_nodes = next((row for row in rows if not row[0]), none)
    return Balance(
        held={row[0]: row[1] for row in rows if row[0]},
        promised={row[0]: row[2] for row in rows if row[0]},
        offered=dict(zip(COLUMNS, by_nodes[3:], strict=True)),
        nodes=by_nodes[1],
        usable_nodes=by_nodes[2],
    )


def _whole(amount: Sum | Count) -> Coalesce:
    return Coalesce(Cast(amount, BigIntegerField()), 0, output_field=BigIntegerField())
