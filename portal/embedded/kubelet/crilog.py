"""Container logs in the runtimes' own format, one file a run, rotated once it is large; written here and read here.

A line is `TIME STREAM TAG TEXT`, TAG being P where the line goes on in the next one, else F.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PIECE_BYTES = 16 * 1024
FILE_BYTES = 50 * 1024 * 1024
_READ_BYTES = 64 * 1024
_POLL_S = 0.2


@dataclass(frozen=True)
class LogQuery:
    """What of a log is wanted, as the kubelet's query parameters say it."""

    follow: bool = False
    timestamps: bool = False
    since: datetime | None = None
    tail_lines: int | None = None
    limit_bytes: int | None = None


class LogWriter:
    """Writes one container's output; keeps one rotated file beside the current one. For several threads."""

    def __init__(self, path: Path, *, file_bytes: int = FILE_BYTES, clock_ns: Callable[[], int]) -> None:
        self.path = path
        self.changed = threading.Condition()
        self.closed = False
        self._file_bytes = file_bytes
        self._clock_ns = clock_ns
        path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = path.open("ab")

    def write(self, stream: str, pieces: Iterable[tuple[bytes, bool]]) -> None:
        """Append pieces of lines; the flag says whether a piece ends its line."""
        text = b"".join(
            b"%s %s %s %s\n" % (nano_stamp(self._clock_ns()), stream.encode(), b"F" if ends else b"P", piece)
            for piece, ends in pieces
        )
        with self.changed:
            if self.closed:
                return
            if self._stream.tell() + len(text) > self._file_bytes and self._stream.tell():
                self._stream.close()
                self.path.replace(rotated(self.path))
                self._stream = self.path.open("ab")
            self._stream.write(text)
            self._stream.flush()
            self.changed.notify_all()

    def close(self) -> None:
        """Say that nothing more comes."""
        with self.changed:
            self.closed = True
            self._stream.close()
            self.changed.notify_all()


class LineCutter:
    """Cuts a stream of bytes into whole lines and pieces of long ones."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[tuple[bytes, bool]]:
        """Return the lines and pieces that a chunk completes."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        made = [piece for line in lines for piece in _pieces(line, ends=True)]
        while len(rest) > PIECE_BYTES:
            made.append((rest[:PIECE_BYTES], False))
            rest = rest[PIECE_BYTES:]
        self._rest = rest
        return made

    def flush(self) -> list[tuple[bytes, bool]]:
        """Return what a stream left without a newline; a runtime marks it as a piece."""
        rest, self._rest = self._rest, b""
        return _pieces(rest, ends=False) if rest else []


def _pieces(line: bytes, *, ends: bool) -> list[tuple[bytes, bool]]:
    starts = range(0, max(len(line), 1), PIECE_BYTES)
    return [(line[at : at + PIECE_BYTES], ends and at + PIECE_BYTES >= len(line)) for at in starts]


def rotated(path: Path) -> Path:
    """Return where the older half of a log lies."""
    return path.with_name(f"{path.name}.1")


def nano_stamp(time_ns: int) -> bytes:
    """Return a time as runtimes write it: nine digits, UTC."""
    seconds, nanos = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{nanos:09d}Z".encode()


def read_log(path: Path, query: LogQuery, *, writer: LogWriter | None = None) -> Iterator[bytes]:
    """Yield chunks of a log as the kubelet serves it. With `follow` it ends when the writer has closed."""
    left = query.limit_bytes
    begins = True
    for lines in _batches(path, query, writer):
        chunk, begins = _rendered(lines, query, begins=begins)
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        if chunk:
            yield chunk
        if left == 0:
            return


def _rendered(lines: list[bytes], query: LogQuery, *, begins: bool) -> tuple[bytes, bool]:
    """Return the text of raw lines: a piece of a line goes on without a newline and without a second time."""
    out = []
    for raw in lines:
        when, _, rest = raw.partition(b" ")
        _stream, _, rest = rest.partition(b" ")
        tag, _, text = rest.partition(b" ")
        if query.timestamps and begins:
            out.append(when + b" ")
        out.append(text)
        begins = tag == b"F"
        if begins:
            out.append(b"\n")
    return b"".join(out), begins


def _batches(path: Path, query: LogQuery, writer: LogWriter | None) -> Iterator[list[bytes]]:
    since = nano_stamp(int(query.since.timestamp() * 1_000_000) * 1000) if query.since else b""
    reader = _Reader(path)
    kept = _tail(reader, query.tail_lines) if query.tail_lines is not None else None
    if kept is not None:
        yield [raw for raw in kept if raw[: len(since)] >= since]
    while True:
        done = writer is None or writer.closed  # asked before reading: what came until then is read below
        while lines := reader.lines():
            yield [raw for raw in lines if raw[: len(since)] >= since]
        if done or not query.follow or writer is None:
            return
        with writer.changed:
            if not writer.closed and reader.is_at_end():
                writer.changed.wait(_POLL_S)
        yield []  # a moment in which a reader that went away is noticed


def _tail(reader: "_Reader", count: int) -> list[bytes]:
    """Return the raw lines that make up the last `count` lines; a line's pieces count as one."""
    whole: deque[list[bytes]] = deque(maxlen=max(count, 1))
    current: list[bytes] = []
    while lines := reader.lines():
        for raw in lines:
            current.append(raw)
            if raw.split(b" ", 3)[2:3] == [b"F"]:
                whole.append(current)
                current = []
    if current:
        whole.append(current)
    return [raw for line in whole for raw in line] if count else []


class _Reader:
    """Reads the rotated file and then the current one, and goes on in the new file when that is rotated."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._stream = next((each.open("rb") for each in (rotated(path), path) if each.exists()), None)

    def lines(self) -> list[bytes]:
        """Return some more whole raw lines; none at the end of what is written."""
        while self._stream is not None:
            moved = self._moved()  # asked first: a file that was rotated away is not written any more
            if found := self._stream.readlines(_READ_BYTES):
                return self._whole(found)
            if not moved:
                break
            self._stream.close()
            self._stream = self._path.open("rb")
        return []

    def is_at_end(self) -> bool:
        """Say whether there is nothing to read right now."""
        if self._stream is None:
            return True
        return not self._moved() and self._stream.tell() >= os.fstat(self._stream.fileno()).st_size

    def _whole(self, found: list[bytes]) -> list[bytes]:
        found[0] = self._rest + found[0]
        self._rest = b"" if found[-1].endswith(b"\n") else found.pop()
        return [line[:-1] for line in found]

    def _moved(self) -> bool:
        """Say whether another file than ours is the current one."""
        if self._stream is None or not self._path.exists():
            return False
        ours, now = os.fstat(self._stream.fileno()), self._path.stat()
        return (ours.st_dev, ours.st_ino) != (now.st_dev, now.st_ino)
