"""Which status and page each error becomes."""

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from portal.core import errors
from portal.core.api.faults import fault_json, is_api

_STATUS: dict[type[Exception], int] = {
    errors.NotVisible: 404,
    errors.Denied: 403,
    errors.Rejected: 400,
    errors.Conflict: 409,
}
RETRY_AFTER_S = 5
FIRST_SERVER_FAULT = 500


def fault_response(request: HttpRequest, fault: Exception) -> HttpResponse:
    """Render the error page of a portal error, or of a database that is away (503 with Retry-After)."""
    for kind, status in _STATUS.items():
        if isinstance(fault, kind):
            return page(request, status, str(getattr(fault, "message", "")))
    response = page(request, 503, _("The database does not answer. What you sent was not stored; try again shortly."))
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def method_refused(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Give an empty 405 its page; the methods that the address takes stay in its Allow header."""
    if not isinstance(response, HttpResponseNotAllowed) or response.content:
        return response
    drawn = page(request, response.status_code)
    drawn["Allow"] = response["Allow"]
    return drawn


def page(request: HttpRequest, status: int, message: str = "") -> HttpResponse:
    """Render `templates/errors/<status>.html`; 404 shows the same words for missing and foreign.

    Server faults are rendered without the request: the shell of a page asks the database, which may be what failed.
    """
    if is_api(request):
        return fault_json(status, message)
    context = {"message": message, "status": status}
    shell = None if status >= FIRST_SERVER_FAULT else request
    return HttpResponse(render_to_string(f"errors/{status}.html", context, request=shell), status=status)
