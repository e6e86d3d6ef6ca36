"""Pages of a list by keyset: a page begins at a row and not at a count, so the hundredth costs what the first does.

Orders by (created, id) only, in either direction; knows no filter and no person.
"""

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.dateparse import parse_datetime

from workloads.models import Workload

LEAST_ID, LARGEST_ID = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FAR_AHEAD = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows of a list; `before` asks for the rows that stand above it, else for those below."""

    created: dt.datetime
    id: uuid.UUID
    before: bool = False

    def token(self) -> str:
        """Return the cursor as it stands in a URL."""
        return base64.urlsafe_b64encode(f"{self.created.isoformat()} {self.id.hex}".encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows in the list's order, and the cursors of the pages above (`newer`) and below (`older`) where these exist.

    `searched_to`: a search reads a bounded stretch of the list at a time, and stopped at this moment; a cursor goes on.
    """

    rows: list[Workload]
    newer: Cursor | None
    older: Cursor | None
    searched_to: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """How a page is read: from where, which way through time, how many rows."""

    cursor: Cursor | None
    limit: int
    oldest_first: bool = False

    @property
    def upward(self) -> bool:
        """Whether the rows above the cursor are wanted."""
        return self.cursor is not None and self.cursor.before

    @property
    def falling(self) -> bool:
        """Whether rows are read from newer to older."""
        return self.oldest_first is self.upward

    def placed(self, rows: QuerySet[Workload]) -> QuerySet[Workload]:
        """Return the rows from the cursor on, in the order in which they are read."""
        ordered = rows.order_by("-created", "-id") if self.falling else rows.order_by("created", "id")
        if self.cursor is None:
            return ordered
        created, row_id = self.cursor.created, self.cursor.id
        # the first condition bounds the index scan, the second breaks ties
        if self.falling:
            ties = Q(created__lt=created) | Q(created=created, id__lt=row_id)
            return ordered.filter(created__lte=created).filter(ties)
        ties = Q(created__gt=created) | Q(created=created, id__gt=row_id)
        return ordered.filter(created__gte=created).filter(ties)

    def stretch_end(self, placed: QuerySet[Workload], most_rows: int) -> QuerySet[Workload, dt.datetime]:
        """Return a query for the moment at which a stretch of so many placed rows ends; no row where the list does."""
        return placed.values_list("created", flat=True)[most_rows : most_rows + 1]

    def within(self, end: str) -> Q:
        """Return the condition that a row is in a stretch whose end is the annotation `end`."""
        if self.falling:
            return Q(created__gte=Coalesce(F(end), Value(LONG_AGO)))
        return Q(created__lte=Coalesce(F(end), Value(FAR_AHEAD)))

    def page(self, found: Sequence[Workload]) -> Page:
        """Return the page that rows make of which one more than the limit was read."""
        shown, more = list(found[: self.limit]), len(found) > self.limit
        if self.upward:
            shown.reverse()
        if not shown:
            return Page([], None, None)
        above = more if self.upward else self.cursor is not None
        below = True if self.upward else more
        return Page(shown, _at(shown[0], before=True) if above else None, _at(shown[-1]) if below else None)

    def cut_short(self, page: Page, end: dt.datetime) -> Page:
        """Return a page whose search stopped at `end`: the cursor in reading direction goes on from there."""
        onward = Cursor(end, LEAST_ID if self.falling else LARGEST_ID, self.upward)
        if self.upward:
            return replace(page, newer=onward, searched_to=end)
        return replace(page, older=onward, searched_to=end)


def cursor_of(token: str, *, before: bool = False) -> Cursor | None:
    """Read a token from a URL; None for anything that is not one."""
    try:
        moment, _, hexes = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().partition(" ")
        created = parse_datetime(moment)
        if created is None or created.tzinfo is None:
            return None
        return Cursor(created, uuid.UUID(hexes), before)
    except (binascii.Error, UnicodeError, ValueError):
        return None


def _at(row: Workload, *, before: bool = False) -> Cursor:
    return Cursor(row.created, row.pk, before)
