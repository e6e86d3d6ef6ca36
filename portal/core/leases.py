"""Leases: leadership and ownership as rows with an epoch, by the database's clock, taken over when they lapse.

A stopped process keeps an advisory lock as long as its connection lives; a row it must renew, and each transaction of
a holder starts with `fence`, so that a stale holder writes nothing.
"""

import os
import socket
import uuid
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import Now

from portal.core.models import Lease

TTL_S = 10.0
RENEW_S = 3.0
MOST_IDLE_MS = 5_000


class LeaseLost(RuntimeError):
    """Somebody else holds the lease now: stop at once, write nothing."""


@dataclass(frozen=True, slots=True)
class Held:
    """Proof of a lease: its name, who holds it and in which epoch."""

    name: str
    holder: str
    epoch: int


def holder_name() -> str:
    """Return a name for this process that no other process, and no later one with the same pid, has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def acquire(name: str, holder: str, *, ttl_s: float = TTL_S) -> Held | None:
    """Take a free or lapsed lease, or renew one's own; None while somebody else holds it. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_lease AS l (name, holder, epoch, expires_at)
            VALUES (%(name)s, %(holder)s, 1, clock_timestamp() + make_interval(secs => %(ttl)s))
            ON CONFLICT (name) DO UPDATE SET
              epoch = CASE WHEN l.holder = EXCLUDED.holder AND l.expires_at > clock_timestamp()
                           THEN l.epoch ELSE l.epoch + 1 END,
              holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
            WHERE l.holder = EXCLUDED.holder OR l.expires_at <= clock_timestamp()
            RETURNING epoch
            """,
            {"name": name, "holder": holder, "ttl": ttl_s},
        )
        row = cursor.fetchone()
    return Held(name, holder, row[0]) if row else None


def renew(held: Held, *, ttl_s: float = TTL_S) -> None:
    """Push the expiry out; raises LeaseLost when the epoch is not ours any more or it has lapsed. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE core_lease SET expires_at = clock_timestamp() + make_interval(secs => %(ttl)s)
            WHERE name = %(name)s AND holder = %(holder)s AND epoch = %(epoch)s AND expires_at > clock_timestamp()
            """,
            {"ttl": ttl_s, "name": held.name, "holder": held.holder, "epoch": held.epoch},
        )
        if cursor.rowcount == 0:
            raise LeaseLost(held.name)


def fence(held: Held) -> None:
    """Check the epoch and keep the row from changing until the transaction ends; raises LeaseLost.

    Must be the first statement of each transaction in which the holder writes. The database ends a transaction in
    which nothing happens for 5 s, so that a holder stopped in the middle of one keeps nobody from taking over.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("fence() protects a transaction: call it inside one")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true) FROM core_lease "
            "WHERE name = %s AND holder = %s AND epoch = %s AND expires_at > clock_timestamp() FOR SHARE",
            [f"{MOST_IDLE_MS}ms", held.name, held.holder, held.epoch],
        )
        if cursor.fetchone() is None:
            raise LeaseLost(held.name)


def release(held: Held) -> None:
    """Give the lease up now, so that a standby need not wait for the expiry. Nothing happens if it is not ours."""
    Lease.objects.filter(name=held.name, holder=held.holder, epoch=held.epoch).update(expires_at=Now())
