"""Gives quota back: what released attempts held returns to the ledger, exactly once, however often this is cut short.

An attempt is released by whoever sees its pods gone, in whatever transaction; only here is the ledger touched for it,
under the locks of its tenant, together with the mark that it was. Until then it counts as held.

A row that says less than is held is wrong already, by a hand or a fault: it gives back what it has and never less than
nothing, an error is logged, and the others go on. The check of the ledger tells what is still wrong then.
"""

from collections.abc import Collection
from uuid import UUID

import structlog
from django.db import transaction

from portal.core import failpoints
from portal.core.leases import Held, fence
from portal.core.transactions import retried
from tenants import quotas
from tenants.ledger import Book
from tenants.specs import Amounts
from workloads.models import Attempt

MOST_SETTLED = 1_000
log = structlog.get_logger(__name__)


@retried
def settle(held: Held | None = None) -> int:
    """Give back what attempts released so far held; return how many. One statement where there is nothing to do.

    At most 1,000 at once, the oldest first. With a lease, raises LeaseLost and then has written nothing.
    """
    released = Attempt.objects.filter(settled=False, released_at__isnull=False)
    waiting = list(released.order_by("released_at").values_list("pk", "tenant_id")[:MOST_SETTLED])
    if not waiting:
        return 0
    with transaction.atomic():
        if held is not None:
            fence(held)
        tenants = quotas.tenants_locked({tenant_id for _id, tenant_id in waiting})
        book = quotas.book_of(tenants, lock=True)
        marked = _mark([attempt_id for attempt_id, _tenant_id in waiting])
        for tenant_id, holds in marked:
            book.give_back(tenant_id, _recorded(book, tenant_id, holds))
        quotas.book_write(book)
        failpoints.hit("settling.before_commit")
    failpoints.hit("settling.after_commit")
    return len(marked)


def _recorded(book: Book, tenant_id: UUID, holds: Amounts) -> dict[str, int]:
    """Return of what was held as much as the rows say; logs an error for each row that says less."""
    found = {}
    for key, amount in holds.items():
        pair = book.pair(tenant_id, key)
        found[key] = min(amount, pair.line.used)
        is_pool_short = pair.pool is not None and pair.pool.used < pair.line.pooled
        if found[key] < amount or is_pool_short:
            owner = {"tenant": str(tenant_id), "key": key, "held": amount}
            log.error("ledger_says_less", **owner, line=pair.line.used, pool=pair.pool and pair.pool.used)
    return found


def _mark(attempt_ids: Collection[UUID]) -> list[tuple[UUID, dict[str, int]]]:
    """Mark attempts as settled; return tenant and holdings of those that were not yet."""
    locked = Attempt.objects.filter(pk__in=attempt_ids, settled=False).order_by("pk").select_for_update(no_key=True)
    rows = list(locked.values_list("pk", "tenant_id", "holds"))
    Attempt.objects.filter(pk__in=[row[0] for row in rows]).update(settled=True)
    return [(tenant_id, holds) for _id, tenant_id, holds in rows]
