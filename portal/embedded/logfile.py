"""A child's log file: bounded in size, read back for readiness lines, progress and last words."""

import os
import shutil
from pathlib import Path

LIMIT_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 32 * 1024
_WORDS_FROM = 400
_TRACEBACK = "Traceback (most recent call last):"
_BETWEEN = ("During handling of the above exception", "The above exception was the direct cause")


class LogFile:
    """One file that a child appends to by itself, so that a busy supervisor never holds it up."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._offset = 0
        self._partial = b""

    def open(self) -> int:
        """Return a new append-only descriptor; what was written before it is not read by `new_lines`."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._offset = os.fstat(descriptor).st_size
        self._partial = b""
        return descriptor

    def new_lines(self) -> list[str]:
        """Return the whole lines written since the last call."""
        with self.path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < self._offset:
                self._offset = 0
            stream.seek(self._offset)
            fresh = stream.read()
        self._offset += len(fresh)
        *lines, self._partial = (self._partial + fresh).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def last_lines(self, count: int) -> list[str]:
        """Return the last non-empty lines of the file."""
        try:
            with self.path.open("rb") as stream:
                size = os.fstat(stream.fileno()).st_size
                stream.seek(max(0, size - _TAIL_BYTES))
                text = stream.read().decode(errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]

    def last_words(self, count: int) -> list[str]:
        """Return the last lines for people: what was said, without the code that it came from."""
        return without_frames(self.last_lines(_WORDS_FROM))[-count:]

    def rotate(self) -> None:
        """Keep a file that grew over the limit as `.1` and empty it in place: the child's descriptor stays valid."""
        try:
            if self.path.stat().st_size <= self._limit_bytes:
                return
        except OSError:
            return
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        os.truncate(self.path, 0)


def without_frames(lines: list[str]) -> list[str]:
    """Return lines without Python's stack frames, keeping each exception's own message."""
    kept: list[str] = []
    inside = False
    for line in lines:
        inside = line.endswith(_TRACEBACK) or (inside and line.startswith(" "))
        if not inside and not line.startswith(_BETWEEN):
            kept.append(line)
    return kept
