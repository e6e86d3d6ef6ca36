"""What `up` says on the terminal: one short line a step, with the time since the start."""

import sys
import time
from collections.abc import Iterable
from typing import TextIO


class Console:
    """Writes steps, warnings and last words; never a traceback."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Print a step with its time."""
        self._write(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def plain(self, text: str = "") -> None:
        """Print a line as it is."""
        self._write(text)

    def quote(self, lines: Iterable[str]) -> None:
        """Print lines of a log, set off from our own words."""
        for line in lines:
            self._write(f"          | {line}")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (BrokenPipeError, ValueError):
            return  # the terminal went away; the portal goes on
