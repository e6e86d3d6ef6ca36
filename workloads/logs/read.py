"""Reads stored logs: chunks, then the tail that is in no chunk yet; a line is missed in neither, whoever moves it.

The tail is listed first: a batch that is moved meanwhile shows up twice, and its numbers say so. Callers check rights.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Max

from portal.live.payloads import CONTINUATION, Line
from workloads.logs.chunkstore import ChunkMissing, ChunkStore, chunk_store
from workloads.logs.codec import decode_lines
from workloads.models import LogChunk, LogTail

MAX_LINES = 5_000
_DOWNLOAD_LINES = 5_000
_ATTEMPTS = 3


class _Moved(LookupError):
    """A batch of the tail was moved into a chunk while we read."""


@dataclass(frozen=True, slots=True)
class _Piece:
    first_seq: int
    last_seq: int
    load: Callable[[], list[Line]]


def lines_after(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return the first `limit` lines after a number, in order."""
    return _retried(lambda: _collect(_pieces(workload_id, above=seq), above=seq, limit=limit))


def lines_before(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return the last `limit` lines before a number, in order."""
    return _retried(lambda: _collect_back(_pieces(workload_id, below=seq), below=seq, limit=limit))


def lines_around(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return about `limit` lines with a number in their middle, in order."""
    before = lines_before(workload_id, seq, limit // 2)
    return before + lines_after(workload_id, seq - 1, limit - len(before))


def last_seq(workload_id: UUID) -> int:
    """Return the highest number that is stored, 0 without lines."""
    tail = LogTail.objects.filter(workload=workload_id).aggregate(last=Max("last_seq"))["last"]
    chunks = LogChunk.objects.filter(workload=workload_id).aggregate(last=Max("last_seq"))["last"]
    return max(tail or 0, chunks or 0)


def lines_since(workload_id: UUID, time_ns: int) -> Iterator[Line]:
    """Yield all lines with that time or a later one, in order of their numbers. For the collector's resume."""

    def gather() -> list[Line]:
        pieces = _pieces(workload_id, since_ns=time_ns)
        return [line for piece in pieces for line in piece.load() if line.time_ns >= time_ns]

    yield from _retried(gather)


def download(workload_id: UUID) -> Iterator[bytes]:
    """Yield the whole text as UTF-8, split lines joined again; memory stays the same for any length."""
    seq, begun = 0, False
    while page := lines_after(workload_id, seq, _DOWNLOAD_LINES):
        yield b"".join(_text(line, first=not begun and index == 0) for index, line in enumerate(page))
        seq, begun = page[-1].seq, True
    if begun:
        yield b"\n"


def _text(line: Line, *, first: bool) -> bytes:
    if first or line.kind == CONTINUATION:
        return line.text.encode()
    return b"\n" + line.text.encode()


def _retried(read: Callable[[], list[Line]]) -> list[Line]:
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except (_Moved, ChunkMissing):
            continue
    return read()


def _pieces(
    workload_id: UUID, *, above: int = 0, below: int | None = None, since_ns: int | None = None
) -> list[_Piece]:
    tail = LogTail.objects.filter(workload=workload_id, last_seq__gt=above).order_by("first_seq")
    chunks = LogChunk.objects.filter(workload=workload_id, last_seq__gt=above).order_by("first_seq")
    if below is not None:
        tail, chunks = tail.filter(first_seq__lt=below), chunks.filter(first_seq__lt=below)
    if since_ns is not None:
        chunks = chunks.filter(last_time_ns__gte=since_ns)
    tail_rows = list(tail.values_list("pk", "first_seq", "last_seq"))
    store = chunk_store()
    pieces = [
        _Piece(first, last, _chunk_loader(store, path))
        for path, first, last in chunks.values_list("path", "first_seq", "last_seq")
    ]
    moved_to = pieces[-1].last_seq if pieces else 0
    pieces += [_Piece(first, last, _tail_loader(pk)) for pk, first, last in tail_rows if first > moved_to]
    return pieces


def _chunk_loader(store: ChunkStore, path: str) -> Callable[[], list[Line]]:
    return lambda: decode_lines(store.get(path))


def _tail_loader(pk: int) -> Callable[[], list[Line]]:
    def load() -> list[Line]:
        payload = LogTail.objects.filter(pk=pk).values_list("payload", flat=True).first()
        if payload is None:
            raise _Moved
        return decode_lines(payload)

    return load


def _collect(pieces: list[_Piece], *, above: int, limit: int) -> list[Line]:
    lines: list[Line] = []
    for piece in pieces:
        if len(lines) >= limit:
            break
        lines += [line for line in piece.load() if line.seq > above]
    return lines[:limit]


def _collect_back(pieces: list[_Piece], *, below: int, limit: int) -> list[Line]:
    blocks: list[list[Line]] = []
    count = 0
    for piece in reversed(pieces):
        if count >= limit:
            break
        block = [line for line in piece.load() if line.seq < below]
        blocks.append(block)
        count += len(block)
    lines = [line for block in reversed(blocks) for line in block]
    return lines[-limit:] if limit > 0 else []
