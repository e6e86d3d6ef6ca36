"""Frames stay small, keep order, and break where numbers do."""

import zlib
from typing import Any

import msgspec

from portal.live.frames import Frame, encode_frames
from portal.live.payloads import Line


def line(seq: int, text: str = "x") -> Line:
    return Line(seq, seq * 1_000_000, 1, "r0", "main", text)


def body_of(frame: Frame) -> dict[str, Any]:
    data = frame.parcel.event["bytes"]
    body: dict[str, Any] = msgspec.json.decode(zlib.decompress(data[1:]) if data[0] & 1 else data[1:])
    return body


def test_a_small_frame_is_plain_json() -> None:
    (frame,) = encode_frames([line(4, "hello"), line(5)])
    assert frame.parcel.event["bytes"][0] == 0
    assert body_of(frame) == {
        "from": 4,
        "to": 5,
        "lines": [[4, 4, 1, "r0", "main", "hello", 0], [5, 5, 1, "r0", "main", "x", 0]],
    }


def test_a_large_frame_is_deflated() -> None:
    (frame,) = encode_frames([line(1, "again " * 1000)])
    assert frame.parcel.event["bytes"][0] == 1
    assert body_of(frame)["lines"][0][5] == "again " * 1000


def test_frames_hold_at_most_64_kib_and_every_line_in_order() -> None:
    frames = list(encode_frames([line(seq, "y" * 500) for seq in range(1, 1001)]))
    bodies = [body_of(frame) for frame in frames]
    assert max(len(msgspec.json.encode(body)) for body in bodies) <= 64 * 1024
    assert [entry[0] for body in bodies for entry in body["lines"]] == list(range(1, 1001))


def test_a_hole_in_the_numbers_begins_a_new_frame() -> None:
    frames = list(encode_frames([line(1), line(2), line(5)]))
    assert [(frame.first_seq, frame.last_seq) for frame in frames] == [(1, 2), (5, 5)]


def test_no_lines_make_no_frame() -> None:
    assert list(encode_frames([])) == []
