"""Errors as REST tells them: {"type", "errors": [{"code", "detail", "attr"}]}, the same shape for every status."""

from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from drf_standardized_errors.handler import ExceptionHandler
from redis.exceptions import RedisError
from rest_framework import exceptions

from portal.core import errors
from portal.core.api.bodies import TooLarge

API_PREFIX = "/api/"
RETRY_AFTER_S = 5
FIRST_SERVER_FAULT = 500
_WHOLE = "non_field_errors"
log = structlog.get_logger(__name__)


class Conflicting(exceptions.APIException):
    """409."""

    status_code = 409
    default_code = "conflict"


class Away(exceptions.APIException):
    """503 with Retry-After: the database does not answer, or the broker, or the cluster that a read needs."""

    status_code = 503
    default_code = "unavailable"
    default_detail = _("The database does not answer. What you sent was not stored; try again shortly.")
    wait = RETRY_AFTER_S


class ApiExceptionHandler(ExceptionHandler):
    """Knows our own errors besides those of the framework."""

    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """Return the framework's error for one of ours."""
        if isinstance(exc, errors.PortalError):
            return _of_portal(exc)
        if isinstance(exc, OperationalError | InterfaceError):
            log.error("database away", error=str(exc))
            return Away()
        if isinstance(exc, RedisError):
            log.error("broker away", error=str(exc))
            return Away(_("The message broker does not answer. Try again shortly."))
        if isinstance(exc, Http404 | exceptions.NotFound):
            return _of_portal(errors.NotVisible())
        if isinstance(exc, RequestDataTooBig):
            return TooLarge()
        if isinstance(exc, SuspiciousOperation | TooManyFieldsSent):
            return exceptions.ParseError()
        return super().convert_known_exceptions(exc)


def is_api(request: HttpRequest) -> bool:
    """Tell whether a request is for REST, whose errors are JSON wherever they arise."""
    return request.path.startswith(API_PREFIX)


def fault_json(status: int, message: str = "") -> JsonResponse:
    """Return an error from outside the REST framework in its shape."""
    code = {400: "parse_error", 403: "permission_denied", 404: "not_found", 503: "unavailable"}.get(status, "error")
    kind = "server_error" if status >= FIRST_SERVER_FAULT else "client_error"
    detail = message or _now("This request cannot be answered.")
    response = JsonResponse({"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, status=status)
    if status == Away.status_code:
        response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _of_portal(error: errors.PortalError) -> exceptions.APIException:
    if isinstance(error, errors.NotVisible):
        return exceptions.NotFound(str(error.message))
    if isinstance(error, errors.Denied):
        return exceptions.PermissionDenied(str(error.message))
    if isinstance(error, errors.Rejected):
        fields: dict[str, Any] = {name or _WHOLE: texts for name, texts in error.fields.items()}
        return exceptions.ValidationError(fields)
    code = "idempotency_key_reused" if isinstance(error, errors.IdempotencyReplay) else None
    return Conflicting(str(error.message), code)
