"""Moves the tail of a log into chunks, and closes the log once everything is read. Safe to repeat at any point.

A chunk's file is written before its row: what a crash leaves between the two is the same file, written again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Func, IntegerField

from portal.core.leases import Held, fence
from portal.live.payloads import Line
from workloads.logs.chunkstore import ChunkStore
from workloads.logs.codec import decode_lines, encode_lines
from workloads.logs.sequencer import LINE_COST_BYTES
from workloads.models import LogChunk, LogTail, Workload

CHUNK_BYTES = 1024 * 1024
"""Of text, each line counted with what it takes beside."""
ROLL_S = 60.0
_ROLL_STORED_BYTES = 256 * 1024
_ZSTD_LEVEL = 6
_ROWS_AT_ONCE = 2_000
_READ_BYTES = 512 * 1024


@dataclass(slots=True)
class _Pack:
    """Rows of the tail that make one chunk."""

    ids: list[int] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    text_bytes: int = 0

    def has_room(self, lines: Sequence[Line]) -> bool:
        """Tell whether these may come in too: any number of lines into an empty one."""
        held_bytes = self.text_bytes + _text_bytes(lines) + LINE_COST_BYTES * (len(self.lines) + len(lines))
        return not self.ids or held_bytes <= CHUNK_BYTES

    def add(self, row_id: int, lines: Sequence[Line]) -> None:
        """Take a row in."""
        self.ids.append(row_id)
        self.lines.extend(lines)
        self.text_bytes += _text_bytes(lines)


def due(held: Held) -> list[UUID]:
    """Return our workloads whose tail is old or large enough to be moved. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT t.workload_id FROM workloads_logtail t JOIN workloads_workload w ON w.id = t.workload_id
            WHERE w.log_collector = %s AND NOT w.log_sealed GROUP BY t.workload_id
            HAVING min(t.created) < clock_timestamp() - make_interval(secs => %s)
                OR sum(octet_length(t.payload)) >= %s
            """,
            [held.holder, ROLL_S, _ROLL_STORED_BYTES],
        )
        return [row[0] for row in cursor.fetchall()]


def roll(held: Held, store: ChunkStore, *, workload_id: UUID, epoch: int) -> int:
    """Move all of a workload's tail into chunks; returns how many.

    Raises LeaseLost, and OSError when the store cannot take them: the tail stays as it is then.
    """
    moved = 0
    while pack := _next_pack(workload_id):
        first, last = pack.lines[0].seq, pack.lines[-1].seq
        path = f"{workload_id}/{first}-{last}"
        store.put(path, encode_lines(pack.lines, level=_ZSTD_LEVEL))
        with transaction.atomic():
            fence(held)
            if not _hold_row(held, workload_id, epoch):
                return moved
            deleted, _ = LogTail.objects.filter(pk__in=pack.ids).delete()
            if not deleted:
                continue  # another task of ours moved them meanwhile
            _index_row(workload_id, pack, path).save(force_insert=True)
        moved += 1
    return moved


def seal(held: Held, store: ChunkStore, *, workload_id: UUID, epoch: int) -> bool:
    """Move what is left and close the log; False when it is not ours any more. Raises LeaseLost, OSError."""
    roll(held, store, workload_id=workload_id, epoch=epoch)
    with transaction.atomic():
        fence(held)
        if not _hold_row(held, workload_id, epoch) or LogTail.objects.filter(workload=workload_id).exists():
            return False
        return bool(Workload.objects.filter(pk=workload_id).update(log_sealed=True))


def _hold_row(held: Held, workload_id: UUID, epoch: int) -> bool:
    rows = Workload.objects.select_for_update(no_key=True).filter(
        pk=workload_id, log_collector=held.holder, log_epoch=epoch, log_sealed=False
    )
    return rows.values_list("pk").first() is not None


def _next_pack(workload_id: UUID) -> _Pack | None:
    tail = LogTail.objects.filter(workload=workload_id).order_by("first_seq")
    sizes = tail.annotate(size=Func("payload", function="octet_length", output_field=IntegerField()))
    ids, read_bytes = [], 0
    for pk, size_bytes in sizes.values_list("pk", "size")[:_ROWS_AT_ONCE]:
        ids.append(pk)
        read_bytes += size_bytes
        if read_bytes >= _READ_BYTES:
            break
    pack = _Pack()
    for pk, payload in tail.filter(pk__in=ids).values_list("pk", "payload"):
        lines = decode_lines(payload)
        if not pack.has_room(lines):
            break
        pack.add(pk, lines)
    return pack if pack.ids else None


def _index_row(workload_id: UUID, pack: _Pack, path: str) -> LogChunk:
    times = [line.time_ns for line in pack.lines]
    return LogChunk(
        workload_id=workload_id,
        first_seq=pack.lines[0].seq,
        last_seq=pack.lines[-1].seq,
        first_time_ns=min(times),
        last_time_ns=max(times),
        attempts=sorted({line.attempt for line in pack.lines}),
        pods=sorted({line.pod for line in pack.lines}),
        lines=len(pack.lines),
        text_bytes=pack.text_bytes,
        path=path,
    )


def _text_bytes(lines: Sequence[Line]) -> int:
    return sum(len(line.text.encode()) for line in lines)
