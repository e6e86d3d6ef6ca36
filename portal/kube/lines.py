"""Lines of container output: cutting a byte stream into bounded lines, and reading their timestamps. Pure.

A line over MAX_LINE_BYTES comes in pieces: every piece carries the line's timestamp, and the second and later ones
have a TAB instead of the space after it. A container cannot forge that: the separator is not its to write.
"""

import re
from datetime import datetime
from functools import lru_cache

import msgspec

MAX_LINE_BYTES = 64 * 1024
_STAMP_MAX_BYTES = 40
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)([ \t]|$)")


class LogLine(msgspec.Struct, frozen=True):
    """One line, or a piece of one. `time_ns` (since 1970, UTC) is None for a line that the kubelet added unstamped."""

    time_ns: int | None
    continuation: bool
    text: bytes


def parse_line(raw: bytes) -> LogLine:
    """Split a line as `LogSource.follow` yields it into time, mark and text."""
    match = _STAMP.match(raw)
    if match is None:
        return LogLine(None, raw.startswith(b"\t"), raw.removeprefix(b"\t"))
    seconds, fraction, zone, separator = match.groups()
    epoch_s = _epoch_s(seconds + zone)
    if epoch_s is None:
        return LogLine(None, False, raw)
    fraction_ns = int((fraction or b"").ljust(9, b"0"))
    return LogLine(epoch_s * 1_000_000_000 + fraction_ns, separator == b"\t", raw[match.end() :])


@lru_cache(maxsize=256)
def _epoch_s(stamp: bytes) -> int | None:
    try:
        return int(datetime.fromisoformat(stamp.decode("ascii")).timestamp())
    except ValueError:
        return None


class LineSplitter:
    """Cuts chunks into lines and holds never more than one piece of a line plus the chunk at hand."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_line_bytes
        self._pending = b""
        self._prefix: bytes | None = None  # timestamp of the line being cut; None at a line's beginning

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines and pieces that `chunk` completes."""
        lines: list[bytes] = []
        parts = chunk.split(b"\n")
        for part in parts[:-1]:
            self._add(part, lines)
            self._finish(lines)
        self._add(parts[-1], lines)
        return lines

    def flush(self) -> list[bytes]:
        """Return what is left at the end of the stream."""
        lines: list[bytes] = []
        if self._pending or self._prefix is not None:
            self._finish(lines)
        return lines

    def _add(self, part: bytes, lines: list[bytes]) -> None:
        self._pending = self._pending + part if self._pending else part
        if self._prefix is not None or len(self._pending) > self._max_bytes + _STAMP_MAX_BYTES:
            self._cut(lines)

    def _cut(self, lines: list[bytes]) -> None:
        """Emit pieces until what is left fits one."""
        stamp, text = self._stamp_and_text()
        if len(text) <= self._max_bytes:
            return
        start = 0
        while len(text) - start > self._max_bytes:
            cut = _whole_characters(text, start, start + self._max_bytes)
            lines.append(self._piece(stamp, text[start:cut]))
            self._prefix = stamp
            start = cut
        self._pending = text[start:]

    def _finish(self, lines: list[bytes]) -> None:
        if len(self._pending) > self._max_bytes:
            self._cut(lines)
        if self._prefix is None:
            lines.append(self._pending)
        else:
            lines.append(self._piece(self._prefix, self._pending))
        self._pending, self._prefix = b"", None

    def _stamp_and_text(self) -> tuple[bytes, bytes]:
        if self._prefix is not None:
            return self._prefix, self._pending
        match = _STAMP.match(self._pending)
        if match is None:
            return b"", self._pending
        return self._pending[: match.start(4)], self._pending[match.end() :]

    def _piece(self, stamp: bytes, text: bytes) -> bytes:
        if self._prefix is not None:
            return stamp + b"\t" + text
        return stamp + b" " + text if stamp else text


def _whole_characters(text: bytes, start: int, cut: int) -> int:
    """Move a cut back to a UTF-8 character's beginning, at most three bytes."""
    for back in range(4):
        if cut - back <= start:
            break
        if text[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut
