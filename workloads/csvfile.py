"""A list as a CSV file: its rows and columns, streamed page by page, so that any length costs the same memory."""

import csv
import io
from collections.abc import AsyncIterator, Collection, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone, translation

from portal.core.models import User
from workloads import columns, presentation, selectors
from workloads.keyset import Cursor
from workloads.selectors import Filters

PAGE_ROWS = 500


def csv_file(
    request: HttpRequest, user: User, filters: Filters, *, chosen: Collection[str], oldest_first: bool
) -> StreamingHttpResponse:
    """Return the file of the workloads that a user may see, in the language of the moment; `chosen` are columns."""
    body = _parts(user, filters, oldest_first, columns.csv_columns(chosen), translation.get_language())
    response = StreamingHttpResponse(
        # Each kind of server would first gather the other's kind of iterator in memory.
        _streamed(body) if isinstance(request, ASGIRequest) else body,
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="workloads-{timezone.localdate():%Y-%m-%d}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response


def _parts(
    user: User, filters: Filters, oldest_first: bool, wanted: list[columns.Column], language: str | None
) -> Iterator[bytes]:
    """Give the file in parts of at most 500 rows; each part is one statement, two where a search finds little."""
    with translation.override(language):
        head = [str(column.title) for column in wanted]
    yield "\ufeff".encode() + _lines([head])  # the mark tells spreadsheets that this is UTF-8
    cursor: Cursor | None = None
    while True:
        page = selectors.workload_list(
            user=user, filters=filters, cursor=cursor, limit=PAGE_ROWS, oldest_first=oldest_first
        )
        with translation.override(language):
            rows = [columns.csv_cells(wanted, row) for row in presentation.told_all(page.rows)]
        yield _lines(rows)
        if page.older is None:
            return
        cursor = page.older


def _lines(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def _streamed(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    take = sync_to_async(lambda: next(body, None))
    while (part := await take()) is not None:
        yield part
