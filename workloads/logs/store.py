"""The collector's writes: a batch, its numbers and how far its containers are read, in one transaction or not at all.

Each transaction first checks the collector's lease, then that the workload is still its own, in the same epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from portal.core.leases import Held, fence
from portal.live.payloads import Line
from workloads.logs.codec import encode_lines
from workloads.logs.sequencer import Draft, Mark
from workloads.models import LogSource, LogTail, Workload


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines to append to one workload's log, of which we hold that its last number is `last_seq`."""

    workload_id: UUID
    epoch: int
    last_seq: int
    drafts: Sequence[Draft]
    marks: dict[int, Mark]
    text_bytes: int

    @property
    def end_seq(self) -> int:
        """Return the number of the last line, once appended."""
        return self.last_seq + len(self.drafts)

    def lines(self) -> list[Line]:
        """Return the lines with their numbers."""
        return [Line(seq, *draft) for seq, draft in enumerate(self.drafts, self.last_seq + 1)]


@dataclass(frozen=True, slots=True)
class Source:
    """How far one container run was read."""

    id: int
    mark: Mark
    done: bool


def append(held: Held, batches: Sequence[Batch]) -> dict[UUID, list[Line]]:
    """Append batches, one a workload; returns the numbered lines of those that are stored.

    A workload that is absent from the answer is not ours any more. Safe to repeat after an error whose outcome is
    unknown: a batch that was committed then is recognised by its numbers. Raises LeaseLost.
    """
    with transaction.atomic():
        fence(held)
        granted = _advance(held, batches)
        stored = {batch.workload_id: batch.lines() for batch in batches if batch.workload_id in granted}
        fresh = [batch for batch in batches if batch.workload_id in granted]
        LogTail.objects.bulk_create(
            LogTail(
                workload_id=batch.workload_id,
                first_seq=batch.last_seq + 1,
                last_seq=batch.end_seq,
                payload=encode_lines(stored[batch.workload_id]),
            )
            for batch in fresh
        )
        _move_marks({key: mark for batch in fresh for key, mark in batch.marks.items()})
        for batch in _committed_before(held, [each for each in batches if each.workload_id not in granted]):
            stored[batch.workload_id] = batch.lines()
    return stored


def open_source(held: Held, *, attempt_id: UUID, pod_uid: UUID, container: str, restart: int) -> Source:
    """Return how far a container run was read, making its row at the first time. Raises LeaseLost."""
    with transaction.atomic():
        fence(held)
        row, _ = LogSource.objects.get_or_create(
            pod_uid=pod_uid, container=container, restart=restart, defaults={"attempt_id": attempt_id}
        )
    return Source(row.pk, Mark(row.last_time_ns, row.last_ordinal), row.done)


def close_source(held: Held, source_id: int) -> None:
    """Remember that a container run is read to its end. Raises LeaseLost."""
    with transaction.atomic():
        fence(held)
        LogSource.objects.filter(pk=source_id).update(done=True)


def _advance(held: Held, batches: Sequence[Batch]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workloads_workload w
            SET log_last_seq = w.log_last_seq + b.lines, log_bytes = w.log_bytes + b.bytes
            FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
              AS b(id, epoch, last_seq, lines, bytes)
            WHERE w.id = b.id AND w.log_collector = %s AND w.log_epoch = b.epoch AND w.log_last_seq = b.last_seq
              AND NOT w.log_sealed
            RETURNING w.id
            """,
            [
                [batch.workload_id for batch in batches],
                [batch.epoch for batch in batches],
                [batch.last_seq for batch in batches],
                [len(batch.drafts) for batch in batches],
                [batch.text_bytes for batch in batches],
                held.holder,
            ],
        )
        return {row[0] for row in cursor.fetchall()}


def _move_marks(marks: dict[int, Mark]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE workloads_logsource s SET last_time_ns = m.time_ns, last_ordinal = m.ordinal
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS m(id, time_ns, ordinal) WHERE s.id = m.id
            """,
            [list(marks), [mark.time_ns for mark in marks.values()], [mark.ordinal for mark in marks.values()]],
        )


def _committed_before(held: Held, batches: Sequence[Batch]) -> list[Batch]:
    if not batches:
        return []
    rows = Workload.objects.filter(pk__in=[batch.workload_id for batch in batches], log_collector=held.holder)
    now = {pk: (epoch, last) for pk, epoch, last in rows.values_list("pk", "log_epoch", "log_last_seq")}
    return [batch for batch in batches if now.get(batch.workload_id) == (batch.epoch, batch.end_seq)]
