"""Request id, the reader's language and zone, and the one place where a portal error becomes a status code."""

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
        zone = zoneinfo.ZoneInfo(user.time_zone) if user.time_zone in zoneinfo.available_timezones() else None
        with timezone.override(zone or timezone.get_default_timezone()):
            return self.get_response(request)


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
