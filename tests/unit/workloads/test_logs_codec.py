"""Stored forms are read as they were written, damaged ones refused; hostile bytes become harmless text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.live.payloads import Line
from workloads.logs.codec import DamagedBatch, decode_lines, encode_lines
from workloads.logs.text import clean_text

LINES = st.lists(
    st.builds(
        Line,
        seq=st.integers(1, 2**62),
        time_ns=st.integers(-(2**62), 2**62),
        attempt=st.integers(0, 32767),
        pod=st.text(max_size=8),
        container=st.text(max_size=8),
        text=st.text(max_size=300),
        kind=st.integers(0, 3),
    ),
    max_size=30,
)


@given(LINES)
def test_lines_come_out_as_they_went_in(lines: list[Line]) -> None:
    assert decode_lines(encode_lines(lines)) == lines


def test_a_large_batch_is_compressed() -> None:
    lines = [Line(seq, seq, 1, "r0", "main", "the same words again") for seq in range(1000)]
    assert len(encode_lines(lines)) < 10_000


@pytest.mark.parametrize("stored", [b"", b"\0\xc1", b"\1garbage", b"\7", b"\0\x91\x01"])
def test_a_damaged_batch_is_refused(stored: bytes) -> None:
    with pytest.raises(DamagedBatch):
        decode_lines(stored)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain \xe4\xb8\xad\xe6\x96\x87", "plain 中文"),
        (b"bad \xff byte", "bad \ufffd byte"),
        (b"nul \x00 bell \x07", "nul \u2400 bell \u2407"),
        (b"10%\r20%\r", "10%\u240d20%"),
        (b"\x1b[31mred\x1b[0m\ttab", "\x1b[31mred\x1b[0m\ttab"),
        (b"c1 \xc2\x9b31m", "c1 \ufffd31m"),
        (b"del \x7f", "del \u2421"),
        ("line\u2028end".encode(), "line\u2424end"),
    ],
)
def test_control_characters_are_seen_and_do_nothing(raw: bytes, text: str) -> None:
    assert clean_text(raw) == text


@given(st.binary(max_size=200))
def test_no_bytes_make_a_second_line_or_an_unstorable_text(raw: bytes) -> None:
    text = clean_text(raw)
    assert not set(text) & set("\0\n\r\u2028\u2029")
    assert text.encode().decode() == text
