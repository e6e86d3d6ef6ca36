import re

from hypothesis import given
from hypothesis import strategies as st

from portal.kube.lines import MAX_LINE_BYTES, LineSplitter, parse_line

STAMP = b"2026-11-24T10:00:00.123456789Z"


def split(chunks: list[bytes], max_line_bytes: int = MAX_LINE_BYTES) -> list[bytes]:
    splitter = LineSplitter(max_line_bytes)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.flush()


def test_lines_come_whole_however_the_stream_is_cut() -> None:
    assert split([STAMP[:9], STAMP[9:] + b" a\n" + STAMP, b" b\n"]) == [STAMP + b" a", STAMP + b" b"]


def test_the_last_line_needs_no_newline() -> None:
    assert split([STAMP + b" a"]) == [STAMP + b" a"]


def test_an_empty_line_is_a_line() -> None:
    assert split([STAMP + b" \n\n"]) == [STAMP + b" ", b""]


def test_a_long_line_comes_in_pieces_with_its_time_and_a_mark() -> None:
    pieces = split([STAMP + b" abcdefgh\n" + STAMP + b" x\n"], max_line_bytes=3)
    assert pieces == [STAMP + b" abc", STAMP + b"\tdef", STAMP + b"\tgh", STAMP + b" x"]


def test_a_line_of_just_the_limit_is_one_piece() -> None:
    assert split([STAMP + b" abc\n"], max_line_bytes=3) == [STAMP + b" abc"]


def test_pieces_never_cut_a_character() -> None:
    text = "aé€😀".encode() * 3
    pieces = [parse_line(piece).text for piece in split([STAMP + b" " + text], max_line_bytes=5)]
    assert b"".join(pieces) == text
    assert [piece.decode() for piece in pieces]


def test_an_endless_line_is_not_held_in_memory() -> None:
    splitter = LineSplitter(1000)
    splitter.feed(STAMP + b" ")
    for _ in range(200):
        splitter.feed(b"x" * 997)
        assert len(splitter._pending) <= 1040


def test_a_line_without_a_time_is_cut_too() -> None:
    assert [parse_line(piece).text for piece in split([b"abcdef"], max_line_bytes=4)] == [b"abcd", b"ef"]


def test_a_time_is_read_to_the_nanosecond() -> None:
    line = parse_line(STAMP + b" hello  world")
    assert (line.time_ns, line.continuation, line.text) == (1795514400_123456789, False, b"hello  world")


def test_a_time_with_another_zone_is_the_same_moment() -> None:
    assert parse_line(b"2026-11-24T18:00:00.123456789+08:00 x").time_ns == parse_line(STAMP + b" x").time_ns


def test_short_fractions_are_parts_of_a_second() -> None:
    whole, half = parse_line(b"2026-11-24T10:00:00Z x").time_ns, parse_line(b"2026-11-24T10:00:00.5Z x").time_ns
    assert whole is not None
    assert half is not None
    assert half - whole == 500_000_000


def test_a_container_cannot_forge_the_mark() -> None:
    line = parse_line(STAMP + b" \ttext")
    assert (line.continuation, line.text) == (False, b"\ttext")


def test_a_line_that_the_kubelet_did_not_stamp_has_no_time() -> None:
    line = parse_line(b"failed to open log file")
    assert (line.time_ns, line.text) == (None, b"failed to open log file")


def test_an_impossible_time_is_text_without_a_time() -> None:
    assert parse_line(b"2026-13-45T99:00:00Z x").time_ns is None


@given(
    st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    st.integers(min_value=1, max_value=50),
)
def test_nothing_is_lost_whatever_the_chunks(texts: list[bytes], chunk_bytes: int) -> None:
    stream = b"".join(STAMP + b" " + text + b"\n" for text in texts)
    chunks = re.findall(b"(?s).{1,%d}" % chunk_bytes, stream)
    found = [parse_line(piece) for piece in split(chunks, max_line_bytes=8)]
    assert all(len(line.text) <= 8 for line in found)
    joined: list[bytes] = []
    for line in found:
        if line.continuation:
            joined[-1] += line.text
        else:
            joined.append(line.text)
    assert joined == texts
