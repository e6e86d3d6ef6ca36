"""What holds a tenant's quota: the app whose work it is stands above this one, and registers how it is read."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from portal.core.models import User
from tenants.gauges import amount_text
from tenants.models import ResourceType, Tenant
from tenants.specs import Unit

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds quota since a moment: amounts by the key of a resource type; `url` "" where there is none to
    give to this reader."""

    name: str
    url: str
    owner: str
    state: str
    since: dt.datetime
    holds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Holders:
    """The first of those that hold, and how many there are in all."""

    shown: list[Holder]
    total: int

    @property
    def more(self) -> int:
        """How many are not among the shown."""
        return self.total - len(self.shown)


Reader = Callable[[User, Tenant, int], Holders]
_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Say how the holders of a tenant are read, at most so many, the largest first; once at start-up."""
    _readers[:] = [reader]


def holders_of(*, user: User, tenant: Tenant) -> Holders:
    """Return what holds a tenant's quota now, the largest 50 first. One statement. Raises NotVisible, Denied."""
    [reader] = _readers
    return reader(user, tenant, MOST_SHOWN)


def amounts_told(holds: Mapping[str, int], types: Iterable[ResourceType]) -> list[tuple[str, str]]:
    """Return amounts as a type's name and its figure, in the order of the types."""
    return [(found.label, amount_text(Unit(found.unit), holds[found.key])) for found in types if holds.get(found.key)]
