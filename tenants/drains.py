"""What a lowered quota stops. Tenants know no work: who does registers here, once at start-up."""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from portal.core.models import User
from tenants.models import Tenant
from tenants.specs import Amounts


class Victim(NamedTuple):
    """A workload that would be stopped or is: its id, its name and its owner's."""

    id: UUID
    name: str
    owner: str


Choose = Callable[[Tenant, Amounts], Sequence[Victim]]
Stop = Callable[[User, Tenant, Sequence[Victim]], None]
_registered: list[tuple[Choose, Stop]] = []


def register(choose: Choose, stop: Stop) -> None:
    """Say who chooses what goes when so much is held too much, and who stops it under the lock of the tenant."""
    _registered[:] = [(choose, stop)]


def chosen(tenant: Tenant, excess: Amounts) -> list[Victim]:
    """Return what would be stopped of a tenant's work, in that order, to be rid of an excess by type."""
    return [victim for choose, _stop in _registered for victim in choose(tenant, excess)]


def drain(actor: User, tenant: Tenant, excess: Amounts) -> list[Victim]:
    """Have as much of a locked tenant's work stopped; return what was. In the caller's transaction."""
    victims = chosen(tenant, excess)
    for _choose, stop in _registered:
        stop(actor, tenant, victims)
    return victims
