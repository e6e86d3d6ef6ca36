"""A list as a CSV file: its rows and columns, streamed page by page, so that any length costs the same memory."""

from collections.abc import Collection, Iterator

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone, translation

from portal.core.downloads import BYTE_ORDER_MARK, CSV, csv_lines, download
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
    return download(request, body, name=f"workloads-{timezone.localdate():%Y-%m-%d}.csv", content_type=CSV)


def _parts(
    user: User, filters: Filters, oldest_first: bool, wanted: list[columns.Column], language: str | None
) -> Iterator[bytes]:
    """Give the file in parts of at most 500 rows; each part is one statement, two where a search finds little."""
    with translation.override(language):
        head = [str(column.title) for column in wanted]
    yield BYTE_ORDER_MARK + csv_lines([head])
    cursor: Cursor | None = None
    while True:
        page = selectors.workload_list(
            user=user, filters=filters, cursor=cursor, limit=PAGE_ROWS, oldest_first=oldest_first
        )
        with translation.override(language):
            rows = [columns.csv_cells(wanted, row) for row in presentation.told_all(page.rows)]
        yield csv_lines(rows)
        if page.older is None:
            return
        cursor = page.older
