"""A workload's stored log over HTTP: lines as JSON for the viewer, the whole as a text file."""

import uuid

import msgspec
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.core.errors import Rejected
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.live.frames import wire_line
from portal.live.payloads import Line
from workloads import selectors
from workloads.logfile import log_file
from workloads.logs import read
from workloads.models import Workload

DEFAULT_LINES = 500
_MAX_DIGITS = 18


@route(Action.WORKLOAD_VIEW)
@require_GET
def lines(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    """Answer lines after `after`, before `before`, between both, or around `around`; the last ones without any."""
    workload = selectors.workload_get(user=person(request), workload_id=workload_id)
    found = [wire_line(line) for line in _asked(request, workload)]
    body = msgspec.json.encode({"lines": found, "last": workload.readable_last_seq, "sealed": workload.log_sealed})
    return HttpResponse(body, content_type="application/json", headers={"Cache-Control": "private, no-store"})


@route(Action.WORKLOAD_VIEW)
@require_GET
def download(request: HttpRequest, workload_id: uuid.UUID) -> StreamingHttpResponse:
    """Answer the whole text as a file, streamed."""
    workload = selectors.workload_get(user=person(request), workload_id=workload_id)
    return log_file(request, workload)


def _asked(request: HttpRequest, workload: Workload) -> list[Line]:
    after, before, around = (_number(request, name) for name in ("after", "before", "around"))
    limit = min(_number(request, "limit") or DEFAULT_LINES, read.MAX_LINES)
    if around is not None:
        return read.lines_around(workload.pk, around, limit)
    if after is None:
        return read.lines_before(workload.pk, workload.readable_last_seq + 1 if before is None else before, limit)
    found = read.lines_after(workload.pk, after, limit)
    return found if before is None else [line for line in found if line.seq < before]


def _number(request: HttpRequest, name: str) -> int | None:
    given = request.GET.get(name, "")
    if not given:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _MAX_DIGITS):
        raise Rejected({name: [_("Must be a whole number.")]})
    return int(given)
