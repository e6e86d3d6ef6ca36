"""Reads stored logs: chunks, then the tail that is in no chunk yet; a line is missed in neither, whoever moves it.

What holds a stretch is listed by one statement; what is moved between that and its reading has the list made again.
How many statements a read takes does not grow with the tail. Callers check rights.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db.models import Max, Value
from django.utils.translation import override

from portal.core.loggaps import gap_text
from portal.live.payloads import CONTINUATION, GAP, Line
from workloads.logs.chunkstore import ChunkMissing, chunk_store
from workloads.logs.codec import decode_lines
from workloads.models import LogChunk, LogTail

MAX_LINES = 5_000
MAX_TEXT_CHARS = 4 * 1024 * 1024
"""About where a read stops before its limit: lines may be 64 KiB long each. The caller goes on from the last one."""
_DOWNLOAD_LINES = 5_000
_LOAD_LINES = 256
_RESUME_LINES = 5_000
_ATTEMPTS = 10
T = TypeVar("T")


class _Moved(LookupError):
    """A batch of the tail was moved into a chunk while we read."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A chunk, which has a path, or a row of the tail; `lines` counts those that are asked for."""

    first_seq: int
    last_seq: int
    lines: int
    path: str
    tail_id: int


@dataclass(frozen=True, slots=True)
class _Span:
    """What is asked for: numbers above and below, of which at most so many, from one end on."""

    above: int = 0
    below: int | None = None
    since_ns: int | None = None
    most: int | None = None
    newest_first: bool = False

    def clipped(self, first_seq: int, last_seq: int) -> int:
        """Return how many of these numbers are asked for."""
        last = last_seq if self.below is None else min(last_seq, self.below - 1)
        return max(0, last - max(first_seq, self.above + 1) + 1)


def lines_after(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return the first `limit` lines after a number, in order; fewer where they are long, at least one."""
    span = _Span(above=seq, most=limit)

    def read() -> list[Line]:
        blocks = _blocks(_pieces(workload_id, span), lambda line: line.seq > seq, limit)
        return [line for block in blocks for line in block][:limit]

    return _retried(read)


def lines_before(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return the last `limit` lines before a number, in order; fewer where they are long, at least one."""
    span = _Span(below=seq, most=limit, newest_first=True)

    def read() -> list[Line]:
        blocks = _blocks(_pieces(workload_id, span), lambda line: line.seq < seq, limit)
        return [line for block in reversed(blocks) for line in block][-limit:]

    return _retried(read) if limit > 0 else []


def lines_around(workload_id: UUID, seq: int, limit: int) -> list[Line]:
    """Return about `limit` lines with a number in their middle, in order."""
    before = lines_before(workload_id, seq, limit // 2)
    return before + lines_after(workload_id, seq - 1, limit - len(before))


def last_seq(workload_id: UUID) -> int:
    """Return the highest number that is stored, 0 without lines."""
    tail = LogTail.objects.filter(workload=workload_id).aggregate(last=Max("last_seq"))["last"]
    chunks = LogChunk.objects.filter(workload=workload_id, expired=False).aggregate(last=Max("last_seq"))["last"]
    return max(tail or 0, chunks or 0)


def lines_since(workload_id: UUID, time_ns: int) -> Iterator[Line]:
    """Yield all lines with that time or a later one, in order of their numbers. For the collector's resume.

    Each part is listed anew: in a flood the tail is moved all the time.
    """
    above = 0
    while blocks := _retried(partial(_part_since, workload_id, time_ns, above)):
        for block in blocks:
            yield from (line for line in block if line.time_ns >= time_ns)
        above = blocks[-1][-1].seq


def _part_since(workload_id: UUID, time_ns: int, above: int) -> list[list[Line]]:
    span = _Span(above=above, since_ns=time_ns)
    return _blocks(_pieces(workload_id, span), lambda line: line.seq > above, _RESUME_LINES)


def download(workload_id: UUID, *, language: str | None = None) -> Iterator[bytes]:
    """Yield the whole text as UTF-8, split lines joined again; memory stays the same for any length.

    Markers of lost lines are told in `language`; the active one may be another by the time this is read.
    """
    seq, begun = 0, False
    while page := lines_after(workload_id, seq, _DOWNLOAD_LINES):
        with override(language):  # left before each yield: whoever reads goes on in their own
            body = b"".join(_text(line, first=not begun and index == 0) for index, line in enumerate(page))
        yield body
        seq, begun = page[-1].seq, True
    if begun:
        yield b"\n"


def _text(line: Line, *, first: bool) -> bytes:
    body = gap_text(line.text, _utc) if line.kind == GAP else line.text
    return (body if first or line.kind == CONTINUATION else f"\n{body}").encode()


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC).isoformat(timespec="milliseconds")


def _retried(read: Callable[[], T]) -> T:
    for _ in range(_ATTEMPTS - 1):
        try:
            return read()
        except (_Moved, ChunkMissing):
            continue
    return read()


def _pieces(workload_id: UUID, span: _Span) -> list[_Piece]:
    """List what holds the span, from the end that is asked for. One statement, so that nothing moves meanwhile."""
    tail = LogTail.objects.filter(workload=workload_id, last_seq__gt=span.above)
    chunks = LogChunk.objects.filter(workload=workload_id, expired=False, last_seq__gt=span.above)
    if span.below is not None:
        tail, chunks = tail.filter(first_seq__lt=span.below), chunks.filter(first_seq__lt=span.below)
    if span.since_ns is not None:
        chunks = chunks.filter(last_time_ns__gte=span.since_ns)
    order = "-first_seq" if span.newest_first else "first_seq"
    in_tail = tail.order_by(order).values_list("first_seq", "last_seq", Value(""), "pk")[: span.most]
    in_chunks = chunks.order_by(order).values_list("first_seq", "last_seq", "path", Value(0))[: span.most]
    rows = in_chunks.union(in_tail, all=True).order_by(order)
    return [_Piece(first, last, span.clipped(first, last), path, pk) for first, last, path, pk in rows]


def _blocks(pieces: Sequence[_Piece], is_wanted: Callable[[Line], bool], limit: int) -> list[list[Line]]:
    """Load pieces until `limit` lines, or as much text as one read may hold, are there."""
    blocks: list[list[Line]] = []
    count = text_chars = 0
    if limit <= 0:
        return blocks
    for block in _loaded(pieces):
        blocks.append([line for line in block if is_wanted(line)])
        count += len(blocks[-1])
        text_chars += sum(len(line.text) for line in blocks[-1])
        if count >= limit or text_chars >= MAX_TEXT_CHARS:
            break
    return blocks


def _loaded(pieces: Iterable[_Piece]) -> Iterator[list[Line]]:
    """Yield the lines of each piece in turn; rows of the tail are fetched many at once."""
    store, waiting, count = chunk_store(), [], 0
    for piece in pieces:
        if not piece.path:
            waiting.append(piece)
            count += piece.lines
        if piece.path or count >= _LOAD_LINES:
            yield from _tail_blocks(waiting)
            waiting, count = [], 0
        if piece.path:
            yield decode_lines(store.get(piece.path))
    yield from _tail_blocks(waiting)


def _tail_blocks(pieces: Sequence[_Piece]) -> Iterator[list[Line]]:
    if not pieces:
        return
    ids = [piece.tail_id for piece in pieces]
    payloads = dict(LogTail.objects.filter(pk__in=ids).values_list("pk", "payload"))
    if len(payloads) < len(ids):
        raise _Moved
    for piece in pieces:
        yield decode_lines(payloads[piece.tail_id])
