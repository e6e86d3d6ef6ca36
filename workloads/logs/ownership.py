"""Which collector reads which workload: one lease a process, and the workload rows that carry its name and an epoch.

Rows of a collector whose lease lapsed are free to take; those of a living one never are.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from portal.core import leases
from portal.core.leases import Held, fence
from portal.core.models import Lease
from workloads.specs import TERMINAL

LEASE_PREFIX = "logcollector:"
_FORGET_LEASE = timedelta(hours=1)

_LIVE = "SELECT 1 FROM core_lease l WHERE l.name = %(prefix)s || {holder} AND l.expires_at > clock_timestamp()"
_OPEN = "NOT w.log_sealed AND EXISTS (SELECT 1 FROM workloads_attempt a WHERE a.workload_id = w.id)"


@dataclass(frozen=True, slots=True)
class Owned:
    """A workload that is ours: its epoch and the number of its last line."""

    workload_id: UUID
    epoch: int
    last_seq: int


def take_lease() -> Held | None:
    """Take a lease of a new name: what a former term of this process still writes can never pass for ours."""
    name = leases.holder_name()
    Lease.objects.filter(name__startswith=LEASE_PREFIX, expires_at__lt=Now() - _FORGET_LEASE).delete()
    return leases.acquire(LEASE_PREFIX + name, name)


def drop_lease(held: Held) -> None:
    """Give up the lease and with it all workloads, at once; waits for a write of ours that is under way."""
    Lease.objects.filter(name=held.name, holder=held.holder, epoch=held.epoch).delete()


def claim(held: Held) -> int:
    """Take free workloads up to a fair share of all; returns how many. Raises LeaseLost."""
    with transaction.atomic(), connection.cursor() as cursor:
        fence(held)
        cursor.execute(
            f"""SELECT count(*), count(*) FILTER (WHERE w.log_collector = %(me)s),
                  (SELECT count(*) FROM core_lease WHERE starts_with(name, %(prefix)s)
                   AND expires_at > clock_timestamp())
                FROM workloads_workload w WHERE {_OPEN}""",  # noqa: S608 (constants)
            {"me": held.holder, "prefix": LEASE_PREFIX},
        )
        total, mine, collectors = cursor.fetchone()
        room = math.ceil(total / max(collectors, 1)) - mine
        if room <= 0:
            return 0
        cursor.execute(
            # Chosen once: a subquery of IN may be run again for each row, and its limit with it.
            f"""WITH free AS MATERIALIZED (
                  SELECT w.id FROM workloads_workload w
                  WHERE {_OPEN} AND w.log_collector <> %(me)s AND NOT EXISTS ({_LIVE.format(holder="w.log_collector")})
                  ORDER BY w.created, w.id LIMIT %(room)s FOR NO KEY UPDATE SKIP LOCKED)
                UPDATE workloads_workload w SET log_collector = %(me)s, log_epoch = log_epoch + 1
                FROM free WHERE w.id = free.id""",  # noqa: S608 (constants)
            {"me": held.holder, "prefix": LEASE_PREFIX, "room": room},
        )
        return int(cursor.rowcount)


def owned(held: Held) -> dict[UUID, Owned]:
    """Return our workloads whose log is not sealed. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, log_epoch, log_last_seq FROM workloads_workload WHERE log_collector = %s AND NOT log_sealed",
            [held.holder],
        )
        return {row[0]: Owned(*row) for row in cursor.fetchall()}


def seal_empty(held: Held) -> int:
    """Close the logs of ended workloads that never had an attempt: nothing will ever come. Raises LeaseLost."""
    with transaction.atomic(), connection.cursor() as cursor:
        fence(held)
        cursor.execute(
            """UPDATE workloads_workload w SET log_sealed = true
               WHERE NOT w.log_sealed AND w.state = ANY(%s)
                 AND NOT EXISTS (SELECT 1 FROM workloads_attempt a WHERE a.workload_id = w.id)""",
            [[state.value for state in TERMINAL]],
        )
        return int(cursor.rowcount)
