"""Decides who starts now and why the others wait. Pure: a snapshot in, a plan out; the same snapshot, the same plan.

First come, first served by (created, id). Within a tenant the first that does not fit holds up those behind it. Over
all tenants the first that finds no room in the cluster has its room kept, so that smaller ones behind it cannot starve
it. What no node could ever run holds up nobody. Single nodes are not chosen here: that is the scheduler's.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from workloads.specs import Reason


class Amount(NamedTuple):
    """So much of each resource; may be negative where more is held than a lowered limit allows."""

    cpu_millicores: int = 0
    memory_mib: int = 0
    gpus: int = 0
    pods: int = 0

    def plus(self, other: "Amount") -> "Amount":
        """Return the sum."""
        return Amount(self[0] + other[0], self[1] + other[1], self[2] + other[2], self[3] + other[3])

    def minus(self, other: "Amount") -> "Amount":
        """Return the difference."""
        return Amount(self[0] - other[0], self[1] - other[1], self[2] - other[2], self[3] - other[3])

    def lacks(self, asked: "Amount") -> str:
        """Return the first resource that is asked for and not there; "" when all is."""
        for name, have, want in zip(self._fields, self, asked, strict=True):
            if want and want > have:
                return name
        return ""


class ClusterView(enum.Enum):
    """Whether the cluster's state is known."""

    ABSENT = "absent"
    STALE = "stale"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node: what it offers in all, and whether it takes work now."""

    offers: Amount
    usable: bool


@dataclass(frozen=True, slots=True)
class TenantView:
    """A tenant: whether its namespace is complete, its limits, and what its unreleased attempts hold."""

    ready: bool
    limits: Amount
    held: Amount


class Waiting(NamedTuple):
    """A queued workload; `blocked` while pods of its last attempt are still there."""

    id: UUID
    tenant_id: UUID
    asks: Amount
    blocked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a plan depends on; `waiting` is in the order of (created, id), `held` is what all attempts hold."""

    cluster: ClusterView
    tenants: Mapping[UUID, TenantView]
    nodes: Sequence[NodeView]
    waiting: Sequence[Waiting]
    held: Amount
    stale_since: str = ""


class Wait(NamedTuple):
    """Why a workload waits."""

    reason: Reason
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to admit, in order, and why each other one waits; what is in neither keeps the reason that it has."""

    admit: list[UUID] = field(default_factory=list)
    wait: dict[UUID, Wait] = field(default_factory=dict)


def plan(snapshot: Snapshot) -> Plan:
    """Return the plan for a snapshot. Linear in the number of waiting workloads and of nodes."""
    everybody = _everybody_waits(snapshot)
    if everybody is not None:
        return Plan(wait={item.id: everybody for item in snapshot.waiting if not item.blocked})
    room = _Room(snapshot)
    result = Plan()
    for item in snapshot.waiting:
        if item.blocked:
            continue
        wait = room.take(item)
        if wait is None:
            result.admit.append(item.id)
        else:
            result.wait[item.id] = wait
    return result


def _everybody_waits(snapshot: Snapshot) -> Wait | None:
    if snapshot.cluster is ClusterView.ABSENT:
        return Wait(Reason.CLUSTER_ABSENT, {})
    if snapshot.cluster is ClusterView.STALE:
        return Wait(Reason.CLUSTER_STALE, {"since": snapshot.stale_since})
    if not any(node.usable for node in snapshot.nodes):
        return Wait(Reason.NO_NODE, {"nodes": len(snapshot.nodes)})
    return None


_BEHIND_TENANT = Wait(Reason.BEHIND_OTHERS, {"scope": "tenant"})
_BEHIND_CLUSTER = Wait(Reason.BEHIND_OTHERS, {"scope": "cluster"})
_NOT_READY = Wait(Reason.TENANT_NOT_READY, {})


class _Room:
    """What is left of the cluster and of each tenant's limits while a plan is made."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._tenants = snapshot.tenants
        self._node_sizes = _undominated([node.offers for node in snapshot.nodes])
        offered = Amount()
        for node in snapshot.nodes:
            if node.usable:
                offered = offered.plus(node.offers)
        self._free = offered.minus(snapshot.held)
        self._kept = Amount()
        self._left = {key: tenant.limits.minus(tenant.held) for key, tenant in snapshot.tenants.items()}
        self._held_up: set[UUID] = set()

    def take(self, item: Waiting) -> Wait | None:
        """Take what a workload asks, or say why it waits; whoever waits for room holds up those behind it."""
        tenant = self._tenants.get(item.tenant_id)
        if tenant is None or not tenant.ready:
            return _NOT_READY
        never = self._never(item, tenant)
        if never is not None:
            return never
        if item.tenant_id in self._held_up:
            return _BEHIND_TENANT
        wait = self._over_quota(item, tenant) or self._no_capacity(item)
        if wait is not None:
            self._held_up.add(item.tenant_id)
            return wait
        self._left[item.tenant_id] = self._left[item.tenant_id].minus(item.asks)
        self._free = self._free.minus(item.asks)
        return None

    def _never(self, item: Waiting, tenant: TenantView) -> Wait | None:
        """Return why it cannot start however long it waits, as things are; such a one holds up nobody."""
        if lacking := tenant.limits.lacks(item.asks):
            return _over(lacking, item, tenant)
        if any(not size.lacks(item.asks) for size in self._node_sizes):
            return None
        lacking, largest = self._nearest(item.asks)
        params = {"resource": lacking, "asked": _of(item.asks, lacking), "largest": largest}
        return Wait(Reason.TOO_LARGE, params)

    def _nearest(self, asks: Amount) -> tuple[str, int]:
        """Return the resource to blame and the most of it on a node.

        A resource that no node has enough of, where there is one; else what the node lacks that has most of the rest.
        """
        largest = Amount(*(max(values) for values in zip(*self._node_sizes, strict=True)))
        if lacking := largest.lacks(asks):
            return lacking, _of(largest, lacking)
        lacking = self._node_sizes[0].lacks(asks)
        return lacking, _of(self._node_sizes[0], lacking)

    def _over_quota(self, item: Waiting, tenant: TenantView) -> Wait | None:
        lacking = self._left[item.tenant_id].lacks(item.asks)
        if not lacking:
            return None
        held = _of(tenant.limits, lacking) - _of(self._left[item.tenant_id], lacking)
        return _over(lacking, item, tenant, held=held)

    def _no_capacity(self, item: Waiting) -> Wait | None:
        if not self._free.minus(self._kept).lacks(item.asks):
            return None
        self._kept = self._kept.plus(item.asks)
        lacking = self._free.lacks(item.asks)
        if not lacking:
            return _BEHIND_CLUSTER
        params = {"resource": lacking, "asked": _of(item.asks, lacking), "free": max(_of(self._free, lacking), 0)}
        return Wait(Reason.NO_CAPACITY, params)


def _over(resource: str, item: Waiting, tenant: TenantView, *, held: int | None = None) -> Wait:
    params = {
        "resource": resource,
        "asked": _of(item.asks, resource),
        "held": _of(tenant.held, resource) if held is None else held,
        "limit": _of(tenant.limits, resource),
    }
    return Wait(Reason.OVER_QUOTA, params)


def _of(amount: Amount, resource: str) -> int:
    value: int = getattr(amount, resource)
    return value


def _undominated(sizes: list[Amount]) -> list[Amount]:
    """Return the sizes that no other one covers, largest first: many nodes, few sizes."""
    kept: list[Amount] = []
    for size in sorted(set(sizes), reverse=True):
        if not any(all(have >= want for have, want in zip(other, size, strict=True)) for other in kept):
            kept.append(size)
    return kept
