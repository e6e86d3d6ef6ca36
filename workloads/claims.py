"""Row claims: one worker at a time acts for a workload, and one that was overtaken writes nothing.

A claim lasts ten seconds by the database's clock and is renewed while cluster work goes on; `guarded` opens the only
transaction in which its holder may write.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from portal.core import leases
from workloads.models import Workload

CLAIM_S = 10.0
RENEW_EVERY_S = 3.0
log = structlog.get_logger(__name__)


class Overtaken(RuntimeError):
    """The claim lapsed and another worker has the row, or the wish changed: write nothing, look again."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Proof of a claim, and the generation that was read with it."""

    workload_id: UUID
    epoch: int
    generation: int
    taken_at: datetime


def take(workload_id: UUID) -> Claim | None:
    """Claim a workload; None when it is claimed by somebody else, who then looks again at its end, or is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workloads_workload
            SET claimed_by = %s, claimed_until = clock_timestamp() + make_interval(secs => %s),
                claim_epoch = claim_epoch + 1
            WHERE id = %s AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
            RETURNING claim_epoch, generation, clock_timestamp()
            """,
            [leases.holder_name(), CLAIM_S, workload_id],
        )
        row = cursor.fetchone()
        if row is None:
            cursor.execute("UPDATE workloads_workload SET hinted_at = clock_timestamp() WHERE id = %s", [workload_id])
    return Claim(workload_id, *row) if row else None


def give_back(claim: Claim) -> bool:
    """End a claim; return whether the row should be looked at again: its wish changed, or a hint came meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workloads_workload SET claimed_until = NULL, claimed_by = ''
            WHERE id = %s AND claim_epoch = %s
            RETURNING generation <> %s OR COALESCE(hinted_at > %s, false)
            """,
            [claim.workload_id, claim.epoch, claim.generation, claim.taken_at],
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def still_wanted(claim: Claim) -> bool:
    """Tell whether the claim and the wish are still what they were. One statement, asked just before acting."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM workloads_workload WHERE id = %s AND claim_epoch = %s AND generation = %s "
            "AND claimed_until > clock_timestamp()",
            [claim.workload_id, claim.epoch, claim.generation],
        )
        return cursor.fetchone() is not None


@contextmanager
def guarded(claim: Claim) -> Iterator[Workload]:
    """Open a short transaction with the row locked; raises Overtaken when epoch or generation are not ours any more."""
    with transaction.atomic():
        row = (
            Workload.objects.select_for_update(no_key=True)
            .filter(pk=claim.workload_id, claim_epoch=claim.epoch, generation=claim.generation)
            .first()
        )
        if row is None:
            raise Overtaken(str(claim.workload_id))
        yield row


@contextmanager
def kept(claim: Claim) -> Iterator[None]:
    """Renew the claim from a thread of its own while the block runs."""
    done = threading.Event()
    beat = threading.Thread(target=_renew, args=(claim, done), name="claim", daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()


def _renew(claim: Claim, done: threading.Event) -> None:
    try:
        while not done.wait(RENEW_EVERY_S):
            try:
                _push_out(claim)
            except DatabaseError as error:
                log.warning("claim_not_renewed", workload=str(claim.workload_id), error=str(error).strip())
                connection.close()
    finally:
        connection.close()


def _push_out(claim: Claim) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE workloads_workload SET claimed_until = clock_timestamp() + make_interval(secs => %s) "
            "WHERE id = %s AND claim_epoch = %s AND claimed_until IS NOT NULL",
            [CLAIM_S, claim.workload_id, claim.epoch],
        )
