"""What tenants hold now. The app that runs work registers how it is counted, so that tenants stay below it."""

import uuid
from collections.abc import Callable, Collection

from tenants.specs import Limits

Reader = Callable[[Collection[uuid.UUID]], dict[uuid.UUID, Limits]]
NOTHING = Limits(cpu_millicores=0, memory_mib=0, pods=0, gpus=0)
_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Say how holdings are counted; called once at start-up."""
    _readers[:] = [reader]


def held_by(tenant_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Limits]:
    """Return what the unreleased work of each tenant holds; every id asked for is a key. One statement."""
    counted = _readers[0](tenant_ids) if _readers and tenant_ids else {}
    return {tenant_id: counted.get(tenant_id, NOTHING) for tenant_id in tenant_ids}
