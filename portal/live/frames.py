"""Log frames: byte 0 = flags (bit 0: the rest is deflated), then JSON {"from","to","lines"}. Encoded once for all.

A line in a frame is [seq, time_ms, attempt, pod, container, text, kind].
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from portal.live.outbox import Parcel, bytes_parcel, text_parcel
from portal.live.payloads import Line

FRAME_BYTES = 60_000
"""Text in a frame before it is deflated; a single longer line travels alone."""
_LINE_OVERHEAD_BYTES = 48
_DEFLATE_FROM_BYTES = 1024
_DEFLATED = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """Lines first_seq..last_seq without a hole, ready to send."""

    first_seq: int
    last_seq: int
    lines: tuple[Line, ...]
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Skip:
    """Lines first_seq..last_seq are left out of the live view."""

    first_seq: int
    last_seq: int


def line_bytes(line: Line) -> int:
    """Return about how much a line takes in a frame."""
    return len(line.text) + len(line.pod) + len(line.container) + _LINE_OVERHEAD_BYTES


def wire_line(line: Line) -> list[Any]:
    """Return a line as clients get it, with its time in milliseconds."""
    return [line.seq, line.time_ns // 1_000_000, line.attempt, line.pod, line.container, line.text, line.kind]


def encode_frame(lines: Sequence[Line]) -> Frame:
    """Encode lines as one frame, whatever their size; they must not be empty."""
    first, last = lines[0].seq, lines[-1].seq
    body = msgspec.json.encode({"from": first, "to": last, "lines": [wire_line(line) for line in lines]})
    deflated = len(body) > _DEFLATE_FROM_BYTES
    data = bytes([_DEFLATED]) + zlib.compress(body, 1) if deflated else b"\0" + body
    return Frame(first, last, tuple(lines), bytes_parcel(data))


def encode_frames(lines: Sequence[Line]) -> Iterator[Frame]:
    """Encode lines as frames of at most FRAME_BYTES; holes in the numbers begin a new one."""
    start, size_bytes = 0, 0
    for position, line in enumerate(lines):
        added = line_bytes(line)
        is_hole = position > start and line.seq != lines[position - 1].seq + 1
        if position > start and (is_hole or size_bytes + added > FRAME_BYTES):
            yield encode_frame(lines[start:position])
            start, size_bytes = position, 0
        size_bytes += added
    if start < len(lines):
        yield encode_frame(lines[start:])


def skip_parcel(first_seq: int, last_seq: int) -> Parcel:
    """Return the control frame that says which lines are left out."""
    return text_parcel(msgspec.json.encode({"type": "skip", "from": first_seq, "to": last_seq}).decode())
