"""How long logs are kept: chunks of what ended long ago are marked, then removed from the store, then from the rows.

A log that has expired is gone for readers at once, in one statement; what a crash leaves of it is still marked, and
removed at the next round. Rows of workloads stay.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from portal.core.leases import Held, fence
from workloads.logs.chunkstore import ChunkStore
from workloads.models import LogChunk, Workload

MOST_LOGS = 200
MOST_CHUNKS = 500


def kept_until(workload: Workload) -> datetime | None:
    """Return when the log will be removed; None where it never will be, has been, or may still grow."""
    if not (settings.LOG_RETENTION_DAYS and workload.log_sealed and workload.ended_at) or workload.log_expired_at:
        return None
    return workload.ended_at + timedelta(days=settings.LOG_RETENTION_DAYS)


def expire(held: Held) -> int:
    """Mark the logs, at most 200 at a time, that ended too long ago; returns how many. Raises LeaseLost."""
    if not settings.LOG_RETENTION_DAYS:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        fence(held)
        cursor.execute(
            """
            WITH over AS MATERIALIZED (
              SELECT w.id FROM workloads_workload w
              WHERE w.log_sealed AND w.log_expired_at IS NULL AND w.log_last_seq > 0
                AND w.ended_at < clock_timestamp() - make_interval(days => %s)
              ORDER BY w.ended_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED),
            marked AS (
              UPDATE workloads_logchunk c SET expired = true FROM over WHERE c.workload_id = over.id)
            UPDATE workloads_workload w SET log_expired_at = clock_timestamp() FROM over WHERE w.id = over.id
            """,
            [settings.LOG_RETENTION_DAYS, MOST_LOGS],
        )
        return int(cursor.rowcount)


def remove(held: Held, store: ChunkStore) -> int:
    """Remove chunks, at most 500 at a time, of expired logs; returns how many. Raises LeaseLost.

    The store loses a chunk before its row goes: so no chunk is left that no row names. Raises OSError at the end when
    the store kept some; the others are gone.
    """
    chunks = LogChunk.objects.filter(expired=True).order_by("pk").values_list("pk", "path")[:MOST_CHUNKS]
    removed, problem = [], None
    for pk, path in chunks:
        try:
            store.delete(path)
        except OSError as exc:
            problem = exc
        else:
            removed.append(pk)
    if removed:
        with transaction.atomic():
            fence(held)
            LogChunk.objects.filter(pk__in=removed).delete()
    if problem is not None:
        raise problem
    return len(removed)
