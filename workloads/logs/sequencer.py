"""Which lines of a container are new, and when what waits is written. Pure: no clock, no I/O.

A line is known by its time and its place among the lines of that time. A log that is read again from a second on
yields the same lines in the same order, so of each time the first n are old where the store holds n of them; this
holds for lines whose times do not ascend, too (stdout and stderr are stamped apart).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
_OVERLAP_S = 1
IDLE_S, PACE_S = 0.025, 0.05
FLUSH_BYTES = 64 * 1024
MAX_PENDING_BYTES = 256 * 1024
LINE_COST_BYTES = 32
"""What a line counts beside its text wherever memory is bounded: a container may print nothing but line ends."""


class Draft(NamedTuple):
    """A line that has no number yet."""

    time_ns: int
    attempt: int
    pod: str
    container: str
    text: str
    kind: int


class Mark(NamedTuple):
    """The place of a container's last line: its time, and how many lines of that time there were."""

    time_ns: int = 0
    ordinal: int = 0

    @property
    def time_ms(self) -> int:
        """Return the time in milliseconds."""
        return self.time_ns // MS_NS

    def next(self, time_ns: int) -> "Mark":
        """Return the place of the line that follows."""
        return Mark(time_ns, self.ordinal + 1 if time_ns == self.time_ns else 1)


def resume_ns(mark: Mark) -> int:
    """Return from when on a log is read again: a whole second, one earlier than need be. 0: from its beginning."""
    return 0 if not mark.time_ns else (mark.time_ns // SECOND_NS - _OVERLAP_S) * SECOND_NS


def resume_time(since_ns: int) -> datetime | None:
    """Return the same as the log source wants it; None: from its beginning."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since_ns // SECOND_NS) if since_ns > 0 else None


class Seen:
    """What the store holds of the stretch that is read again."""

    def __init__(self, stored_times_ns: Iterable[int]) -> None:
        self._left = Counter(stored_times_ns)
        self._stored = self._left.total()
        self._met = 0

    def is_new(self, time_ns: int) -> bool:
        """Tell whether the next line, which has this time, is not in the store."""
        left = self._left.get(time_ns, 0)
        if not left:
            return True
        self._met += 1
        if left == 1:
            del self._left[time_ns]
        else:
            self._left[time_ns] = left - 1
        return False

    @property
    def is_torn(self) -> bool:
        """Tell whether nothing of what should have come again did: the log was rotated away under the reader."""
        return self._stored > 0 and self._met == 0


@dataclass
class Pending:
    """Lines of one workload that wait to be written."""

    drafts: list[Draft] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)
    text_bytes: int = 0
    held_bytes: int = 0
    due_s: float = 0.0
    flushed_s: float = 0.0

    def add(self, source_id: int, draft: Draft, mark: Mark, *, size_bytes: int, now_s: float) -> None:
        """Append a line of a size. Due at once after a pause, else at the pace of 50 ms, or when 64 KiB are there."""
        if not self.drafts:
            self.due_s = now_s if now_s - self.flushed_s >= IDLE_S else self.flushed_s + PACE_S
        self.drafts.append(draft)
        self.marks[source_id] = mark
        self.text_bytes += size_bytes
        self.held_bytes += size_bytes + LINE_COST_BYTES
        if self.held_bytes >= FLUSH_BYTES:
            self.due_s = now_s

    @property
    def is_full(self) -> bool:
        """Tell whether the reader has to wait."""
        return self.held_bytes >= MAX_PENDING_BYTES

    def take(self, now_s: float) -> tuple[list[Draft], dict[int, Mark], int]:
        """Take all that waits out, with its size in bytes."""
        taken = self.drafts, self.marks, self.text_bytes
        self.drafts, self.marks, self.text_bytes, self.held_bytes = [], {}, 0, 0
        self.flushed_s = now_s
        return taken
