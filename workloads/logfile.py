"""A workload's whole log as a file that is streamed to whoever asked. Callers check rights."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language

from workloads.logs import read
from workloads.models import Workload


def log_file(request: HttpRequest, workload: Workload) -> StreamingHttpResponse:
    """Return the log as a text file; memory stays the same for any length."""
    body = read.download(workload.pk, language=get_language())
    response = StreamingHttpResponse(
        # Each kind of server would first gather the other's kind of iterator in memory.
        _streamed(body) if isinstance(request, ASGIRequest) else body,
        content_type="text/plain; charset=utf-8",
    )
    name = content_disposition_header(as_attachment=True, filename=f"{workload.name}-{str(workload.pk)[:8]}.log")
    response["Content-Disposition"] = str(name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


async def _streamed(body: Iterator[bytes]) -> AsyncIterator[bytes]:
    take = sync_to_async(lambda: next(body, None))
    while (part := await take()) is not None:
        yield part
