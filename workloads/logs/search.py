"""A stretch of a log narrowed by pod, attempt, time and a piece of text. Callers check rights.

One call reads a bounded number of lines and says where to go on, so that a rare text in a long log holds nobody up.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from uuid import UUID

from portal.live.payloads import GAP, Line
from workloads.logs import read

MOST_SCANNED = 50_000
MOST_SCANNED_CHARS = 16 * 1024 * 1024
_PAGE_LINES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for. `after` and `before` are numbers of lines; without `after` and `since_ns` the newest ones."""

    limit: int
    after: int | None = None
    before: int | None = None
    since_ns: int | None = None
    pod: str = ""
    attempt: int | None = None
    text: str = ""
    ignore_case: bool = False

    @property
    def forward(self) -> bool:
        """Whether it is read from its older end on."""
        return self.after is not None or self.since_ns is not None

    @property
    def narrowed(self) -> bool:
        """Whether lines of the stretch may be left out."""
        return bool(self.pod or self.text) or self.attempt is not None or self.since_ns is not None

    def has(self, line: Line) -> bool:
        """Tell whether a line is asked for; markers of lost lines have no text to search."""
        return (
            (not self.pod or line.pod == self.pod)
            and (self.attempt is None or line.attempt == self.attempt)
            and (self.since_ns is None or line.time_ns >= self.since_ns)
            and (not self.text or line.kind == GAP or self._says(line.text))
        )

    def _says(self, text: str) -> bool:
        return self.text.casefold() in text.casefold() if self.ignore_case else self.text in text


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines in order; the first and the last number that were looked at (0 and 0 where there was nothing)."""

    lines: list[Line]
    first_seq: int
    last_seq: int


def stretch_of(workload_id: UUID, wanted: Wanted) -> Stretch:
    """Return the lines that are asked for; fewer than `limit` where much had to be looked through."""
    if wanted.forward:
        return _gathered(_forward(workload_id, wanted), wanted)
    back = _gathered(_backward(workload_id, wanted), wanted)
    return Stretch(back.lines[::-1], back.last_seq, back.first_seq)


def _gathered(lines: Iterable[Line], wanted: Wanted) -> Stretch:
    found: list[Line] = []
    first = last = count = chars = 0
    for line in lines:
        first, last = first or line.seq, line.seq
        count, chars = count + 1, chars + len(line.text)
        if wanted.has(line):
            found.append(line)
        if len(found) >= wanted.limit or count >= MOST_SCANNED or chars >= MOST_SCANNED_CHARS:
            break
    return Stretch(found, first, last)


def _forward(workload_id: UUID, wanted: Wanted) -> Iterator[Line]:
    below = wanted.before
    source = (
        read.lines_since(workload_id, wanted.since_ns or 0)
        if wanted.after is None
        else _pages_after(workload_id, wanted.after, _page_lines(wanted))
    )
    for line in source:
        if below is not None and line.seq >= below:
            return
        yield line


def _backward(workload_id: UUID, wanted: Wanted) -> Iterator[Line]:
    below = read.last_seq(workload_id) + 1 if wanted.before is None else wanted.before
    while page := read.lines_before(workload_id, below, _page_lines(wanted)):
        yield from reversed(page)
        below = page[0].seq


def _pages_after(workload_id: UUID, seq: int, page_lines: int) -> Iterator[Line]:
    while page := read.lines_after(workload_id, seq, page_lines):
        yield from page
        seq = page[-1].seq


def _page_lines(wanted: Wanted) -> int:
    return _PAGE_LINES if wanted.narrowed else min(wanted.limit, _PAGE_LINES)
