"""Request id, the reader's language and zone, and the one place where a portal error becomes a status code."""

import contextlib
import datetime as dt
import uuid
import zoneinfo
from collections.abc import Callable

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from portal.core import errors
from portal.core.models import User
from portal.core.routes import person
from portal.web import faults
from portal.web.faults import fault_response

GetResponse = Callable[[HttpRequest], HttpResponse]
logger = structlog.get_logger("portal.web")


class RequestIdMiddleware:
    """Give each request an id that logs and audit rows carry; answers repeat it in X-Request-Id."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response


class UserPreferencesMiddleware:
    """Show pages in the language and time zone that the signed-in person chose.

    It is the first to ask who that is, so the first to find the database away.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            known = isinstance(request.user, User)
        except (OperationalError, InterfaceError) as exception:
            return _database_away(request, exception)
        return self._in_their_words(request) if known else self.get_response(request)

    def _in_their_words(self, request: HttpRequest) -> HttpResponse:
        user = person(request)
        if user.language and user.language in dict(settings.LANGUAGES):
            translation.activate(user.language)
            request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE
        with timezone.override(_zone_of(user)):
            return self.get_response(request)


def _zone_of(user: User) -> dt.tzinfo:
    """Return the zone that somebody chose, the default for none or one that this machine does not know.

    A zone that was read once is kept. To ask which there are would walk through hundreds of files at each request.
    """
    if user.time_zone:
        with contextlib.suppress(zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo(user.time_zone)
    return timezone.get_default_timezone()


class FaultMiddleware:
    """Turn portal errors into their pages, and a database that is away into 503 with Retry-After."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return faults.method_refused(request, self.get_response(request))

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, errors.PortalError):
            return fault_response(request, exception)
        if isinstance(exception, OperationalError | InterfaceError):
            return _database_away(request, exception)
        return None


def _database_away(request: HttpRequest, exception: Exception) -> HttpResponse:
    logger.error("database away", error=str(exception))
    return fault_response(request, exception)
