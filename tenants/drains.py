"""What a lowered quota stops. Tenants know no work: who does registers here, once at start-up."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from portal.core.models import User
from tenants.specs import Amounts


class Victim(NamedTuple):
    """A workload that would be stopped or is: its id, its name and its owner's, and its tenant's id."""

    id: UUID
    name: str
    owner: str
    tenant_id: UUID


Beyond = Mapping[UUID, Amounts]  # by tenant, what it holds too much of each type
Choose = Callable[[Beyond], Sequence[Victim]]
Stop = Callable[[User, Sequence[Victim]], None]
_registered: list[tuple[Choose, Stop]] = []


def register(choose: Choose, stop: Stop) -> None:
    """Say who chooses what goes when so much is held too much, and who stops it under the locks of the tenants."""
    _registered[:] = [(choose, stop)]


def chosen(beyond: Beyond) -> list[Victim]:
    """Return what would be stopped of each tenant's work, in that order, for it to hold nothing beyond its limits."""
    return [victim for choose, _stop in _registered for victim in choose(beyond)] if beyond else []


def drain(actor: User, beyond: Beyond) -> list[Victim]:
    """Have as much work of locked tenants stopped; return what was. In the caller's transaction."""
    victims = chosen(beyond)
    for _choose, stop in _registered:
        stop(actor, victims)
    return victims
