"""The arithmetic of shares: what one person or one priority may hold of a tenant's quota, and how many workloads run.

Pure. A share bounds what comes next and nothing else: who holds more than a share that was lowered keeps it until that
work ends. A resource type that no share names is bounded by the tenant's quota alone.
"""

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from tenants.specs import Amounts, Priority

Holder = UUID | Priority


class Whose(enum.StrEnum):
    """Of whom a share is."""

    USER = "user"
    PRIORITY = "priority"


class Who(NamedTuple):
    """Whose work it is: the tenant's, the person's, of which priority."""

    tenant: UUID
    owner: UUID | None
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a tenant allows, by resource type: `each` person, unless `users` says otherwise of them; each priority.

    `most_running` workloads at once; None without a bound.
    """

    each: Amounts = field(default_factory=dict)
    users: Mapping[UUID, Amounts] = field(default_factory=dict)
    priorities: Mapping[Priority, Amounts] = field(default_factory=dict)
    most_running: int | None = None

    def of_user(self, user: UUID | None) -> Amounts:
        """Return what a person may hold."""
        own = None if user is None else self.users.get(user)
        return self.each if own is None else {**self.each, **own}


class Held(NamedTuple):
    """What some workloads of one owner and priority hold each, and how many they are."""

    who: Who
    holds: Amounts
    workloads: int = 1


class Over(NamedTuple):
    """Which share an amount does not fit into, with the numbers."""

    whose: Whose
    holder: Holder
    key: str
    asked: int
    held: int
    limit: int


class Shares:
    """What the work of some tenants holds by person and priority, beside what it may; worked on in memory.

    Tenants without limits are not in it, and nothing is counted of them.
    """

    def __init__(self, limits: Mapping[UUID, Limits] | None = None, held: Iterable[Held] = ()) -> None:
        self._limits = dict(limits or {})
        self._held: Counter[tuple[UUID, Holder, str]] = Counter()
        self._running: Counter[UUID] = Counter()
        for each in held:
            self.charge(each.who, each.holds, workloads=each.workloads)

    def copy(self) -> "Shares":
        """Return shares of their own that say the same, for a plan that may come to nothing."""
        twin = Shares(self._limits)
        twin._held, twin._running = self._held.copy(), self._running.copy()
        return twin

    def running(self, tenant: UUID) -> int:
        """Return how many workloads of a tenant hold something."""
        return self._running[tenant]

    def most_running(self, tenant: UUID) -> int | None:
        """Return how many workloads of a tenant may run at once; None without a bound."""
        limits = self._limits.get(tenant)
        return None if limits is None else limits.most_running

    def held(self, tenant: UUID, holder: Holder, key: str) -> int:
        """Return what a person or a priority holds of a tenant's resource type."""
        return self._held[tenant, holder, key]

    def never(self, who: Who, asks: Amounts) -> Over | None:
        """Return the first share that is smaller than what is asked; None without one."""
        return next((over for over in self._compared(who, asks) if over.asked > over.limit), None)

    def over(self, who: Who, asks: Amounts) -> Over | None:
        """Return the first share into which what is asked does not fit now; None without one."""
        return next((over for over in self._compared(who, asks) if over.held + over.asked > over.limit), None)

    def charge(self, who: Who, holds: Amounts, *, workloads: int = 1) -> None:
        """Count what admitted workloads hold."""
        if who.tenant not in self._limits:
            return
        self._running[who.tenant] += workloads
        for key, amount in holds.items():
            self._held[who.tenant, who.priority, key] += amount * workloads
            if who.owner is not None:
                self._held[who.tenant, who.owner, key] += amount * workloads

    def _compared(self, who: Who, asks: Amounts) -> Iterator[Over]:
        """Yield what is asked beside each share that bounds it; of what nothing is asked, nothing."""
        limits = self._limits.get(who.tenant)
        if limits is None:
            return
        bounds: list[tuple[Whose, Holder, Amounts]] = [
            (Whose.PRIORITY, who.priority, limits.priorities.get(who.priority, {}))
        ]
        if who.owner is not None:
            bounds.insert(0, (Whose.USER, who.owner, limits.of_user(who.owner)))
        for whose, holder, amounts in bounds:
            for key, limit in amounts.items():
                if asked := asks.get(key, 0):
                    yield Over(whose, holder, key, asked, self._held[who.tenant, holder, key], limit)
