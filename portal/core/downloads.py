"""Files that are made while they are sent: any length costs the same memory."""

import csv
import io
from collections.abc import AsyncIterator, Iterator, Sequence

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

CSV = "text/csv; charset=utf-8"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff".encode()  # tells spreadsheets that a file is UTF-8


def download(request: HttpRequest, body: Iterator[bytes], *, name: str, content_type: str) -> StreamingHttpResponse:
    """Return a file that no cache keeps. What `body` asks of the database is asked while it is sent."""
    response = StreamingHttpResponse(
        # Each kind of server would first gather the other's kind of iterator in memory.
        _streamed(body) if isinstance(request, ASGIRequest) else body,
        content_type=content_type,
    )
    response["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def csv_cell(value: object) -> str:
    """Return a value as the text of a cell that is no formula to a spreadsheet; a time is ISO 8601."""
    text = "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_lines(rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


async def _streamed(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    take = sync_to_async(lambda: next(body, None))
    while (part := await take()) is not None:
        yield part
