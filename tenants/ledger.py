"""The arithmetic of quota: how much more a tenant may hold of one resource type, and what each event makes of the rows.

Pure: frozen rows in, rows out; amounts are whole numbers in the type's unit. Who stores the rows locks them first.

A tenant's line: `used <= nominal + borrow_limit + overhang`. Of its nominal a tenant lends `lend_limit` to the pool of
its cohort; the rest, `nominal - lend_limit`, is kept for it alone. What it uses beyond that comes from the pool, be it
its own lent part or somebody else's, and so bounds all borrowing of the cohort together:
`shared_used = Σ max(0, used - (nominal - lend_limit)) <= Σ lend_limit + overhang`.

An overhang is what was above a limit when somebody lowered it and chose to keep it. It lets what runs run on, admits
nothing new, and only shrinks as work ends.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID


class Shortage(enum.Enum):
    """Which of the bounds does not let an amount in."""

    QUOTA = "quota"  # the tenant's own, with what it may borrow at most
    COHORT = "cohort"  # it might borrow, but the others have lent all, or use it themselves


class NeedsChoice(ValueError):
    """More is held than a new limit allows: somebody must say that it may stay as overhang."""

    def __init__(self, line_excess: int, pool_excess: int) -> None:
        super().__init__(f"{line_excess} above the tenant's limit, {pool_excess} above the cohort's")
        self.line_excess = line_excess
        self.pool_excess = pool_excess


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an administrator sets for a tenant and a resource type; `lend_limit` is a part of `nominal`."""

    nominal: int = 0
    borrow_limit: int = 0
    lend_limit: int = 0

    @property
    def most(self) -> int:
        """The most that may be held while the cohort has all of it to lend."""
        return self.nominal + self.borrow_limit

    @property
    def kept(self) -> int:
        """What nobody else can borrow."""
        return self.nominal - self.lend_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A tenant's ledger row for one resource type."""

    bounds: Bounds = Bounds()
    used: int = 0
    overhang: int = 0

    @property
    def hard(self) -> int:
        """What the row's CHECK bounds `used` by."""
        return self.bounds.most + self.overhang

    @property
    def pooled(self) -> int:
        """The part of `used` that comes from the cohort's pool."""
        return max(0, self.used - self.bounds.kept)

    @property
    def borrowed(self) -> int:
        """The part of `used` beyond the nominal quota."""
        return max(0, self.used - self.bounds.nominal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A cohort's row for one resource type: what its tenants lend together, and what is used of that."""

    lendable: int = 0
    used: int = 0
    overhang: int = 0

    @property
    def hard(self) -> int:
        """What the row's CHECK bounds `used` by."""
        return self.lendable + self.overhang

    @property
    def free(self) -> int:
        """What may still be taken from it."""
        return max(0, self.lendable - self.used)


@dataclass(frozen=True, slots=True)
class Pair:
    """A tenant's line and the pool of its cohort; without a cohort there is no pool, no lending and no borrowing."""

    line: Line = Line()
    pool: Pool | None = None

    @property
    def ceiling(self) -> int:
        """The most that the tenant could hold if it were alone, as the bounds are; never below 0."""
        most = self.line.bounds.most
        return max(0, most if self.pool is None else min(most, self.line.bounds.kept + self.pool.lendable))

    @property
    def room(self) -> int:
        """How much more the tenant may hold now; never below 0."""
        own = max(0, self.line.bounds.most - self.line.used)
        if self.pool is None:
            return own
        unpooled = max(0, self.line.bounds.kept - self.line.used)
        return min(own, unpooled + self.pool.free)


def shortage(pair: Pair, amount: int) -> Shortage | None:
    """Return what keeps an amount out; None if it may be charged. Nothing asked is always there."""
    if amount <= pair.room or amount <= 0:
        return None
    fits_alone = pair.line.used + amount <= pair.line.bounds.most
    return Shortage.COHORT if fits_alone else Shortage.QUOTA


def charge(pair: Pair, amount: int) -> Pair:
    """Return the rows after an amount was admitted. Raises ValueError where it does not fit or is negative."""
    if amount < 0 or shortage(pair, amount) is not None:
        raise ValueError(f"{amount} of {pair.room} free")
    return _moved(pair, replace(pair.line, used=pair.line.used + amount))


def give_back(pair: Pair, amount: int) -> Pair:
    """Return the rows after an amount came back; overhangs shrink with it. Raises ValueError if it was not held."""
    if not 0 <= amount <= pair.line.used:
        raise ValueError(f"{amount} of {pair.line.used} held")
    return _moved(pair, replace(pair.line, used=pair.line.used - amount))


def rebound(pair: Pair, bounds: Bounds, *, keep: bool) -> Pair:
    """Return the rows under new bounds.

    Raises ValueError for bounds that cannot be; NeedsChoice where an excess would grow and `keep` is not said.
    """
    if problems := bounds_problems(bounds, in_cohort=pair.pool is not None):
        raise ValueError(", ".join(problems))
    line = replace(pair.line, bounds=bounds, overhang=max(0, pair.line.used - bounds.most))
    pool = None if pair.pool is None else _with_member(_without_member(pair.pool, pair.line), line)
    pool = None if pool is None else replace(pool, overhang=_pool_excess(pool))
    grown = (max(0, line.overhang - pair.line.overhang), _growth(pair.pool, pool))
    if any(grown) and not keep:
        raise NeedsChoice(line.overhang, 0 if pool is None else pool.overhang)
    return Pair(line, pool)


def joined(line: Line, pool: Pool) -> Pair:
    """Return the rows after a tenant without a cohort came into one; it lends and borrows nothing yet.

    What it holds above its nominal quota is an overhang of the pool as well.
    """
    alone = replace(line, bounds=Bounds(nominal=line.bounds.nominal))
    within = _with_member(pool, alone)
    return Pair(alone, replace(within, overhang=_pool_excess(within)))


def parted(pair: Pair, *, keep: bool) -> tuple[Line, Pool]:
    """Return a tenant's line without its cohort, and the pool without the tenant.

    What it lent is missing there, what it borrowed is too much here: raises NeedsChoice unless `keep` is said.
    """
    if pair.pool is None:
        raise ValueError("the tenant is in no cohort")
    bounds = Bounds(nominal=pair.line.bounds.nominal)
    line = replace(pair.line, bounds=bounds, overhang=max(0, pair.line.used - bounds.most))
    pool = _without_member(pair.pool, pair.line)
    pool = replace(pool, overhang=_pool_excess(pool))
    if (line.overhang > pair.line.overhang or _growth(pair.pool, pool)) and not keep:
        raise NeedsChoice(line.overhang, pool.overhang)
    return line, pool


def bounds_problems(bounds: Bounds, *, in_cohort: bool) -> list[str]:
    """Return the codes of what is wrong with bounds: `negative`, `lend_above_nominal`, `no_cohort`."""
    found = []
    if min(bounds.nominal, bounds.borrow_limit, bounds.lend_limit) < 0:
        found.append("negative")
    if bounds.lend_limit > bounds.nominal:
        found.append("lend_above_nominal")
    if not in_cohort and (bounds.borrow_limit or bounds.lend_limit):
        found.append("no_cohort")
    return found


def pool_of(lines: Iterable[Line], *, overhang: int = 0) -> Pool:
    """Return what a cohort's row must say of its members' lines."""
    members = list(lines)
    lendable = sum(line.bounds.lend_limit for line in members)
    return Pool(lendable=lendable, used=sum(line.pooled for line in members), overhang=overhang)


def line_faults(line: Line, held: int) -> list[str]:
    """Return what is wrong with a stored line when `held` is counted of its tenant; an empty list is how it must be."""
    found = []
    if line.used != held:
        found.append("used")
    if line.overhang != max(0, line.used - line.bounds.most):
        found.append("overhang")
    return found


def pool_faults(pool: Pool, lines: Iterable[Line]) -> list[str]:
    """Return what is wrong with a stored pool given its members' lines; an empty list is how it must be."""
    wanted = pool_of(lines)
    found = [name for name in ("lendable", "used") if getattr(pool, name) != getattr(wanted, name)]
    return found if pool.overhang == _pool_excess(pool) else [*found, "overhang"]


class Short(NamedTuple):
    """Why an amount does not fit: the type's key, which bound it is, and the rows as they are."""

    key: str
    shortage: Shortage
    pair: Pair


class Book:
    """The rows of some tenants and their cohorts' pools, worked on in memory; knows which of them have changed.

    `lines` by (tenant, type key), `pools` by (cohort, type key), `cohorts` the cohort of each tenant that has one. A
    missing line is one without quota.
    """

    def __init__(
        self,
        lines: Mapping[tuple[UUID, str], Line],
        pools: Mapping[tuple[UUID, str], Pool] | None = None,
        cohorts: Mapping[UUID, UUID] | None = None,
    ) -> None:
        self._lines, self._pools, self._cohorts = dict(lines), dict(pools or {}), dict(cohorts or {})
        self._first_lines, self._first_pools = dict(self._lines), dict(self._pools)

    def copy(self) -> "Book":
        """Return a book of its own that says the same, for a plan that may come to nothing."""
        return Book(self._lines, self._pools, self._cohorts)

    def cohort_of(self, tenant: UUID) -> UUID | None:
        """Return the cohort of a tenant, or None."""
        return self._cohorts.get(tenant)

    def pair(self, tenant: UUID, key: str) -> Pair:
        """Return a tenant's line of a type with the pool behind it."""
        cohort = self._cohorts.get(tenant)
        pool = None if cohort is None else self._pools.get((cohort, key), Pool())
        return Pair(self._lines.get((tenant, key), Line()), pool)

    def above_ceiling(self, tenant: UUID, asks: Mapping[str, int]) -> Short | None:
        """Return the first type of which more is asked than the tenant could ever hold; None without one."""
        for key, amount in asks.items():
            pair = self.pair(tenant, key)
            if amount > pair.ceiling:
                return Short(key, Shortage.QUOTA, pair)
        return None

    def short(self, tenant: UUID, asks: Mapping[str, int]) -> Short | None:
        """Return the first type that is short now; None if all that is asked may be charged."""
        for key, amount in asks.items():
            pair = self.pair(tenant, key)
            if (found := shortage(pair, amount)) is not None:
                return Short(key, found, pair)
        return None

    def charge(self, tenant: UUID, asks: Mapping[str, int]) -> None:
        """Charge all that is asked. Raises ValueError where it does not fit, and then may have charged a part."""
        for key, amount in asks.items():
            self._put(tenant, key, charge(self.pair(tenant, key), amount))

    def give_back(self, tenant: UUID, held: Mapping[str, int]) -> None:
        """Give back what was held. Raises ValueError where it was not, and then may have given a part."""
        for key, amount in held.items():
            self._put(tenant, key, give_back(self.pair(tenant, key), amount))

    def rebound(self, tenant: UUID, key: str, bounds: Bounds, *, keep: bool) -> None:
        """Set new bounds. Raises what the function of this name raises."""
        self._put(tenant, key, rebound(self.pair(tenant, key), bounds, keep=keep))

    def recount(self, held: Mapping[tuple[UUID, str], int]) -> None:
        """Make every row say what is so, given what is held by (tenant, type key); bounds stay.

        Only for a book of all tenants with all pools: a pool is the sum of those of its lines that are here.
        """
        members: dict[tuple[UUID, str], list[Line]] = {}
        for (tenant, key), line in self._lines.items():
            used = held.get((tenant, key), 0)
            right = replace(line, used=used, overhang=max(0, used - line.bounds.most))
            self._lines[tenant, key] = right
            if (cohort := self._cohorts.get(tenant)) is not None:
                members.setdefault((cohort, key), []).append(right)
        for place in self._pools:
            pool = pool_of(members.get(place, []))
            self._pools[place] = replace(pool, overhang=_pool_excess(pool))

    def keys_of(self, tenant: UUID) -> list[str]:
        """Return the types of which a tenant has a line."""
        return [key for owner, key in self._lines if owner == tenant]

    def join(self, tenant: UUID, cohort: UUID) -> None:
        """Bring a tenant without a cohort into one whose pools are here."""
        for key in self.keys_of(tenant):
            pair = joined(self._lines[tenant, key], self._pools.get((cohort, key), Pool()))
            self._lines[tenant, key] = pair.line
            if pair.pool is not None:
                self._pools[cohort, key] = pair.pool
        self._cohorts[tenant] = cohort

    def part(self, tenant: UUID, *, keep: bool) -> None:
        """Take a tenant out of its cohort. Raises what `parted` raises, and then may have changed a part."""
        cohort = self._cohorts[tenant]
        for key in self.keys_of(tenant):
            self._lines[tenant, key], self._pools[cohort, key] = parted(self.pair(tenant, key), keep=keep)
        del self._cohorts[tenant]

    def changed_lines(self) -> dict[tuple[UUID, str], Line]:
        """Return the lines that are not as they came."""
        return {key: line for key, line in self._lines.items() if self._first_lines.get(key) != line}

    def changed_pools(self) -> dict[tuple[UUID, str], Pool]:
        """Return the pools that are not as they came."""
        return {key: pool for key, pool in self._pools.items() if self._first_pools.get(key) != pool}

    def tenants_with_other_bounds(self) -> set[UUID]:
        """Return the tenants of which a line's `hard` has changed: the cluster's quota must follow."""
        changed = self.changed_lines().items()
        return {key[0] for key, line in changed if self._first_lines.get(key, Line()).hard != line.hard}

    def _put(self, tenant: UUID, key: str, pair: Pair) -> None:
        before = self.pair(tenant, key)
        if pair.line != before.line:
            self._lines[tenant, key] = pair.line
        if pair.pool is not None and pair.pool != before.pool:
            self._pools[self._cohorts[tenant], key] = pair.pool


def _moved(pair: Pair, line: Line) -> Pair:
    """Return the rows with another `used`: the pool follows, and no overhang stays that is not needed any more.

    A pool that said less than its members use stops at 0.
    """
    line = replace(line, overhang=max(0, line.used - line.bounds.most))
    if pair.pool is None:
        return Pair(line, None)
    pool = replace(pair.pool, used=max(0, pair.pool.used + line.pooled - pair.line.pooled))
    return Pair(line, replace(pool, overhang=_pool_excess(pool)))


def _with_member(pool: Pool, line: Line) -> Pool:
    return replace(pool, lendable=pool.lendable + line.bounds.lend_limit, used=pool.used + line.pooled)


def _without_member(pool: Pool, line: Line) -> Pool:
    """A pool that said less than its members do stops at 0, as in `_moved`."""
    lendable = max(0, pool.lendable - line.bounds.lend_limit)
    return replace(pool, lendable=lendable, used=max(0, pool.used - line.pooled))


def _pool_excess(pool: Pool) -> int:
    return max(0, pool.used - pool.lendable)


def _growth(before: Pool | None, after: Pool | None) -> int:
    return 0 if before is None or after is None else max(0, after.overhang - before.overhang)
