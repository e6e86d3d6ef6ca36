"""What a grant would do to a tenant, to the others of its cohort and to who waits. Pure: a book in, figures out.

It compares the ledger as it is with the ledger after the grant. In both, those who wait are let in as they come,
where quota and the cluster have room for them: an estimate, since the queue also looks at single nodes and at fairness.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from tenants.ledger import Book
from tenants.specs import Amounts


@dataclass(frozen=True, slots=True)
class Asking:
    """A workload that waits, and what it asks by resource type."""

    id: UUID
    tenant: UUID
    asks: Amounts


@dataclass(frozen=True, slots=True)
class Change:
    """A figure as it is, and as it would be."""

    before: int
    after: int

    @property
    def moved(self) -> bool:
        """Whether it is another one."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class TypeEffect:
    """Of one resource type: the tenant's nominal quota and what it could start now; what its cohort's pool has free.

    `promised` is the nominal quota of all tenants, `capacity` what the cluster's nodes offer; None where unknown.
    """

    key: str
    nominal: Change
    room: Change
    pool_free: Change | None
    promised: Change
    capacity: int | None

    @property
    def exceeds_cluster(self) -> bool:
        """Whether more would be promised than the cluster has."""
        return self.capacity is not None and self.promised.after > self.capacity


@dataclass(frozen=True, slots=True)
class OtherEffect:
    """What another tenant of the cohort could start now of a type."""

    tenant: UUID
    key: str
    room: Change


@dataclass(frozen=True, slots=True)
class Effect:
    """What a grant would do: figures by type, others whose room moves, and who starts or has to wait because of it."""

    types: list[TypeEffect]
    others: list[OtherEffect]
    starts: list[UUID] = field(default_factory=list)
    still_waits: int = 0
    others_start: int = 0
    others_delayed: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """The cohort's ledger, who waits in it in their order, and the whole platform by resource type.

    `capacity` has only the types that the cluster counts; `free` is what of it nobody holds.
    """

    book: Book
    tenants: Sequence[UUID]
    waiting: Sequence[Asking]
    promised: Amounts
    capacity: Amounts
    free: Amounts


def effect_of(world: World, tenant: UUID, amounts: Amounts) -> Effect:
    """Return what new nominal amounts of a tenant would do. An amount below that of now counts as no change."""
    before, after = world.book, world.book.copy()
    for key, amount in amounts.items():
        bounds = after.pair(tenant, key).line.bounds
        after.rebound(tenant, key, replace(bounds, nominal=max(amount, bounds.nominal)), keep=True)
    fit_before, fit_after = _fitting(before, world), _fitting(after, world)
    own = [item for item in world.waiting if item.tenant == tenant]
    foreign = {item.id for item in world.waiting if item.tenant != tenant}
    return Effect(
        types=[_type_effect(world, after, tenant, key) for key in amounts],
        others=_others(world, after, tenant, list(amounts)),
        starts=[item.id for item in own if item.id in fit_after - fit_before],
        still_waits=sum(item.id not in fit_after for item in own),
        others_start=len((fit_after - fit_before) & foreign),
        others_delayed=len((fit_before - fit_after) & foreign),
    )


def _type_effect(world: World, after: Book, tenant: UUID, key: str) -> TypeEffect:
    old, new = world.book.pair(tenant, key), after.pair(tenant, key)
    nominal = Change(old.line.bounds.nominal, new.line.bounds.nominal)
    promised = world.promised.get(key, 0)
    return TypeEffect(
        key=key,
        nominal=nominal,
        room=Change(old.room, new.room),
        pool_free=Change(old.pool.free, new.pool.free) if old.pool is not None and new.pool is not None else None,
        promised=Change(promised, promised + nominal.after - nominal.before),
        capacity=world.capacity.get(key),
    )


def _others(world: World, after: Book, tenant: UUID, keys: Sequence[str]) -> list[OtherEffect]:
    found = [
        OtherEffect(other, key, Change(world.book.pair(other, key).room, after.pair(other, key).room))
        for other in world.tenants
        if other != tenant
        for key in keys
    ]
    return [effect for effect in found if effect.room.moved]


def _fitting(book: Book, world: World) -> set[UUID]:
    """Return who would be let in, each charged before the next one is looked at."""
    left, free = book.copy(), dict(world.free)
    found = set()
    for item in world.waiting:
        if left.short(item.tenant, item.asks) is None and _has(free, item.asks):
            left.charge(item.tenant, item.asks)
            free.update({key: free[key] - amount for key, amount in item.asks.items() if key in free})
            found.add(item.id)
    return found


def _has(free: Mapping[str, int], asks: Amounts) -> bool:
    return all(amount <= free[key] for key, amount in asks.items() if key in free)
