"""A page of a log as the server draws it: a stretch of lines, whole or narrowed to an attempt, a pod, a text.

The viewer goes on from where it ends; without scripts its links lead on. Callers check rights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from portal.live.frames import wire_line
from workloads.logs import read
from workloads.logs.search import Stretch, Wanted, stretch_of
from workloads.models import Workload

PAGE_LINES = 200
MAX_TEXT = 200
_MAX_DIGITS = 18
_MAX_ATTEMPT_DIGITS = 4
_MAX_POD = 63


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What the page leaves out; all empty shows everything."""

    attempt: str = ""
    pod: str = ""
    text: str = ""

    @property
    def on(self) -> bool:
        """Whether anything is left out."""
        return bool(self.attempt or self.pod or self.text)

    def query(self, **more: int) -> str:
        """Return the query string of a page that leaves out the same."""
        given = {"attempt": self.attempt, "pod": self.pod, "q": self.text}
        return "?" + urlencode({**{name: value for name, value in given.items() if value}, **more})


def log_context(workload: Workload, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the log: after or before a line, else its end."""
    narrowing = narrowing_of(query)
    after, before = _number(query.get("after", "")), _number(query.get("before", ""))
    if before is None:
        before = workload.readable_last_seq + 1
    wanted = Wanted(
        limit=PAGE_LINES,
        after=after,
        before=None if after is not None else before,
        attempt=int(narrowing.attempt) if narrowing.attempt else None,
        pod=narrowing.pod,
        text=narrowing.text,
        ignore_case=True,
    )
    found = stretch_of(workload.pk, wanted) if narrowing.on else _whole(workload, wanted)
    last = found.last_seq or min(workload.readable_last_seq, before - 1)
    return {
        "lines": [wire_line(line) for line in found.lines],
        "last_seq": last,
        "narrowing": narrowing,
        "looked_through": _looked_through(found, wanted),
        "earlier_url": narrowing.query(before=found.first_seq) if found.first_seq > 1 else "",
        "later_url": narrowing.query(after=last) if last < workload.readable_last_seq else "",
    }


def narrowing_of(query: Mapping[str, str]) -> Narrowing:
    """Return what a query string leaves out; what cannot be meant is as if it were not there."""
    attempt = query.get("attempt", "")
    fits = attempt.isascii() and attempt.isdigit() and len(attempt) <= _MAX_ATTEMPT_DIGITS
    text = query.get("q", "").replace("\0", "")[:MAX_TEXT]
    return Narrowing(attempt if fits else "", query.get("pod", "")[:_MAX_POD], text)


def _whole(workload: Workload, wanted: Wanted) -> Stretch:
    if wanted.after is not None:
        lines = read.lines_after(workload.pk, wanted.after, wanted.limit)
    else:
        lines = read.lines_before(workload.pk, wanted.before or 0, wanted.limit)
    return Stretch(lines, lines[0].seq, lines[-1].seq) if lines else Stretch([], 0, 0)


def _looked_through(found: Stretch, wanted: Wanted) -> tuple[int, int] | None:
    """Return the stretch that a narrowed page looked through without finding a page's worth of lines."""
    if not wanted.narrowed or not found.last_seq or len(found.lines) >= wanted.limit:
        return None
    return found.first_seq, found.last_seq


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None
