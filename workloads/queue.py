"""Decides who starts now and why the others wait. Pure: a snapshot in, a plan out; the same snapshot, the same plan.

First come, first served within a priority; the order of `waiting` is the caller's. Within a tenant the first that does
not fit holds up those behind it. Who waits to borrow has what it would borrow kept from other borrowers of its cohort,
and over all tenants who finds no room in the cluster has its room kept, so that smaller ones behind cannot starve it.
What a tenant's own quota or no node could ever hold holds up nobody. Who is above a share, their own or their
priority's, holds up only those behind who have the same. Single nodes are not chosen here: that is the
scheduler's.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from tenants.ledger import Book, Pair, Short, Shortage
from tenants.shares import Holder, Over, Shares, Who, Whose
from tenants.specs import GPUS, Amounts, Priority
from workloads.asks import Words
from workloads.specs import Reason


class ClusterView(enum.Enum):
    """Whether the cluster's state is known."""

    ABSENT = "absent"
    STALE = "stale"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node: what it offers in all by resource type, and whether it takes work now."""

    offers: Amounts
    usable: bool


class Waiting(NamedTuple):
    """A queued workload: what it asks by resource type; `blocked` while pods of its last attempt are still there.

    `classes` are the classes of GPUs that will do, the preferred one first; the first with room is charged beside
    `gpus`.
    """

    id: UUID
    tenant_id: UUID
    asks: Amounts
    blocked: bool = False
    classes: tuple[str, ...] = ()
    owner_id: UUID | None = None
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a plan depends on; `waiting` is in order: by (priority, created, id). `held` is what all attempts hold.

    `ready` are the tenants whose namespace is complete, `book` their ledger with that of their cohorts, `shares` what
    their people and priorities may hold of it.
    """

    cluster: ClusterView
    ready: frozenset[UUID]
    book: Book
    nodes: Sequence[NodeView]
    waiting: Sequence[Waiting]
    held: Amounts
    cohort_names: Mapping[UUID, str] = field(default_factory=dict)
    stale_since: str = ""
    words: Words = field(default_factory=dict)  # what a reason says of resource types that are not built in
    shares: Shares = field(default_factory=Shares)


class Wait(NamedTuple):
    """Why a workload waits."""

    reason: Reason
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to admit, in order, and why each other one waits; what is in neither keeps the reason that it has.

    `admitted` is each with all that it is charged.
    """

    admitted: dict[UUID, Waiting] = field(default_factory=dict)
    wait: dict[UUID, Wait] = field(default_factory=dict)

    @property
    def admit(self) -> list[UUID]:
        """Whom to admit, in order."""
        return list(self.admitted)


def plan(snapshot: Snapshot) -> Plan:
    """Return the plan for a snapshot. Linear in the number of waiting workloads and of nodes."""
    everybody, room = _everybody_waits(snapshot), _Room(snapshot)
    if everybody is not None:
        return Plan(wait={item.id: room.beyond(item) or everybody for item in snapshot.waiting if not item.blocked})
    result = Plan()
    for item in snapshot.waiting:
        if item.blocked:
            continue
        placed = room.of_class(item)
        wait = room.take(placed)
        if wait is None:
            result.admitted[item.id] = placed
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
_BEHIND_COHORT = Wait(Reason.BEHIND_OTHERS, {"scope": "cohort"})
_BEHIND_SHARE = {whose: Wait(Reason.BEHIND_OTHERS, {"scope": whose.value}) for whose in Whose}
_BEHIND_CLUSTER = Wait(Reason.BEHIND_OTHERS, {"scope": "cluster"})
_NOT_READY = Wait(Reason.TENANT_NOT_READY, {})


class _Room:
    """What is left of the cluster, of each tenant's quota and of the cohorts' pools while a plan is made."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._ready, self._cohort_names = snapshot.ready, snapshot.cohort_names
        self._words = snapshot.words
        self._book, self._shares = snapshot.book.copy(), snapshot.shares.copy()
        self._keys = list(dict.fromkeys(key for node in snapshot.nodes for key in node.offers))
        self._node_sizes = _undominated([self._size(node.offers) for node in snapshot.nodes])
        self._free = dict.fromkeys(self._keys, 0)
        for node in snapshot.nodes:
            if node.usable:
                _add(self._free, node.offers)
        _add(self._free, snapshot.held, -1)
        self._kept: dict[str, int] = {}
        self._pool_kept: dict[tuple[UUID, str], int] = {}
        self._held_up: set[UUID] = set()
        self._holders_held_up: set[tuple[UUID, Holder]] = set()

    def of_class(self, item: Waiting) -> Waiting:
        """Return a workload with a class of GPUs among what it asks.

        Of those that will do it is the first with room, else the first that could ever have it.
        """
        if not item.classes:
            return item
        placed = [item._replace(asks={**item.asks, key: item.asks.get(GPUS, 0)}) for key in item.classes]
        possible = [one for one in placed if self._never(one) is None]
        return next((one for one in possible if self._has_room(one)), (possible or placed)[0])

    def _has_room(self, item: Waiting) -> bool:
        left = {key: self._free.get(key, 0) - self._kept.get(key, 0) for key in item.asks}
        return self._book.short(item.tenant_id, item.asks) is None and not _first_lacking(left, item.asks)

    def take(self, item: Waiting) -> Wait | None:
        """Take what a workload asks, or say why it waits; whoever waits for room holds up those behind it."""
        if item.tenant_id not in self._ready:
            return _NOT_READY
        who = Who(item.tenant_id, item.owner_id, item.priority)
        passed = self._never(item) or self._shut_out(item, who)
        if passed is not None:
            return passed
        wait = self._over_quota(item) or self._pool_is_kept(item) or self._no_capacity(item)
        if wait is not None:
            self._held_up.add(item.tenant_id)
            return wait
        self._book.charge(item.tenant_id, item.asks)
        self._shares.charge(who, item.asks)
        _add(self._free, item.asks, -1)
        return None

    def _shut_out(self, item: Waiting, who: Who) -> Wait | None:
        """Return a wait for what its tenant, its owner's share or its priority's lets in no more of now.

        It keeps no room for itself, and does not hold up the tenant's other work.
        """
        tenant, most = item.tenant_id, self._shares.most_running(item.tenant_id)
        if most is not None and self._shares.running(tenant) >= most:
            return Wait(Reason.MAX_RUNNING, {"running": self._shares.running(tenant), "limit": most})
        if tenant in self._held_up:
            return _BEHIND_TENANT
        for whose, holder in ((Whose.USER, who.owner), (Whose.PRIORITY, who.priority)):
            if (tenant, holder) in self._holders_held_up:
                return _BEHIND_SHARE[whose]
        over = self._shares.over(who, item.asks)
        if over is None:
            return None
        self._holders_held_up.add((tenant, over.holder))
        return _over_share(over, self._words)

    def beyond(self, item: Waiting) -> Wait | None:
        """Return a wait for more than its tenant could ever hold, or its owner or its priority of that."""
        short = self._book.above_ceiling(item.tenant_id, item.asks)
        if short is not None:
            return self._over(short, item)
        over = self._shares.never(Who(item.tenant_id, item.owner_id, item.priority), item.asks)
        return None if over is None else _over_share(over, self._words)

    def _never(self, item: Waiting) -> Wait | None:
        """Return why it cannot start however long it waits, as things are; such a one holds up nobody."""
        if (wait := self.beyond(item)) is not None:
            return wait
        if any(not self._lacking(size, item.asks) for size in self._node_sizes):
            return None
        lacking, largest = self._nearest(item.asks)
        return Wait(Reason.TOO_LARGE, {**self._asked(item, lacking), "largest": largest})

    def _nearest(self, asks: Amounts) -> tuple[str, int]:
        """Return the resource to blame and the most of it on a node.

        A resource that no node has enough of, where there is one; else what the node lacks that has most of the rest.
        """
        largest = tuple(max(values) for values in zip(*self._node_sizes, strict=True))
        size = largest if self._lacking(largest, asks) else self._node_sizes[0]
        lacking = self._lacking(size, asks)
        return lacking, dict(zip(self._keys, size, strict=True)).get(lacking, 0)

    def _lacking(self, size: tuple[int, ...], asks: Amounts) -> str:
        """Return the first resource of which a node of this size has too little; "" without one."""
        return _first_lacking(dict(zip(self._keys, size, strict=True)), asks)

    def _size(self, offers: Amounts) -> tuple[int, ...]:
        return tuple(offers.get(key, 0) for key in self._keys)

    def _over_quota(self, item: Waiting) -> Wait | None:
        short = self._book.short(item.tenant_id, item.asks)
        if short is None:
            return None
        cohort = self._book.cohort_of(item.tenant_id)
        if short.shortage is Shortage.COHORT and cohort is not None:
            for key, amount in item.asks.items():
                wanted = self._pool_kept.get((cohort, key), 0) + _from_pool(
                    self._book.pair(item.tenant_id, key), amount
                )
                self._pool_kept[cohort, key] = wanted
        return self._over(short, item)

    def _pool_is_kept(self, item: Waiting) -> Wait | None:
        """Return a wait where it would borrow what somebody ahead in the cohort waits to borrow.

        What a tenant's own nominal quota covers is never held up by a borrower.
        """
        cohort = self._book.cohort_of(item.tenant_id)
        if cohort is None or not self._pool_kept:
            return None
        for key, amount in item.asks.items():
            kept, pair = self._pool_kept.get((cohort, key), 0), self._book.pair(item.tenant_id, key)
            borrows = pair.line.used + amount > pair.line.bounds.nominal
            if pair.pool is not None and amount and borrows and _from_pool(pair, amount) > pair.pool.free - kept:
                return _BEHIND_COHORT
        return None

    def _no_capacity(self, item: Waiting) -> Wait | None:
        left = {key: self._free.get(key, 0) - self._kept.get(key, 0) for key in item.asks}
        if not _first_lacking(left, item.asks):
            return None
        _add(self._kept, item.asks)
        lacking = _first_lacking(self._free, item.asks)
        if not lacking:
            return _BEHIND_CLUSTER
        free = max(self._free.get(lacking, 0), 0)
        return Wait(Reason.NO_CAPACITY, {**self._asked(item, lacking), "free": free})

    def _asked(self, item: Waiting, key: str) -> dict[str, Any]:
        """Return what a reason says of the resource that is short: which, its words, and how much of it is asked."""
        return {"resource": key, **self._words.get(key, {}), "asked": item.asks[key]}

    def _over(self, short: Short, item: Waiting) -> Wait:
        line = short.pair.line
        params = {**self._asked(item, short.key), "held": line.used, "limit": line.bounds.nominal}
        cohort = self._book.cohort_of(item.tenant_id)
        if cohort is not None and line.bounds.borrow_limit:
            own = max(0, line.bounds.nominal - line.used)
            params |= {
                "cohort": self._cohort_names.get(cohort, ""),
                "ceiling": short.pair.ceiling,
                "lendable": max(0, short.pair.room - own),
            }
        return Wait(Reason.OVER_QUOTA, params)


def _over_share(over: Over, words: Words) -> Wait:
    params: dict[str, Any] = {"whose": over.whose.value, "resource": over.key, **words.get(over.key, {})}
    params |= {"asked": over.asked, "held": over.held, "limit": over.limit}
    return Wait(Reason.OVER_SHARE, params | ({"priority": over.holder} if over.whose is Whose.PRIORITY else {}))


def _from_pool(pair: Pair, amount: int) -> int:
    """Return how much of an amount would come from the cohort's pool."""
    after = max(0, pair.line.used + amount - pair.line.bounds.kept)
    return after - pair.line.pooled


def _first_lacking(have: Amounts, asks: Amounts) -> str:
    """Return the first resource that is asked for and not there; "" when all is."""
    return next((key for key, amount in asks.items() if amount and amount > have.get(key, 0)), "")


def _add(total: dict[str, int], amounts: Amounts, sign: int = 1) -> None:
    for key, amount in amounts.items():
        total[key] = total.get(key, 0) + sign * amount


def _undominated(sizes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the sizes that no other one covers, largest first: many nodes, few sizes."""
    kept: list[tuple[int, ...]] = []
    for size in sorted(set(sizes), reverse=True):
        if not any(all(have >= want for have, want in zip(other, size, strict=True)) for other in kept):
            kept.append(size)
    return kept
