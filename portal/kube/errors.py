"""Our own words for what the API server refuses, so that no caller depends on a client library's exceptions.

Decides nothing about retries beyond saying whether one can help.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import ClassVar

import msgspec

from portal.kube.quantity import parse_quantity


class Cause(msgspec.Struct, frozen=True):
    """One entry of a Status' `details.causes`: which field, and what is wrong with it."""

    reason: str = ""
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    kind: str = ""
    uid: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: float | None = None


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """The body of an answer that refuses, and the object of an ERROR event of a watch."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details = _Details()


@dataclass(frozen=True)
class Shortage:
    """One resource of which a ResourceQuota has too little left; amounts in base units (cores, bytes, pieces)."""

    resource: str
    requested: Decimal
    used: Decimal
    limited: Decimal


@dataclass(frozen=True)
class QuotaExceeded:
    """A refusal by a ResourceQuota, in numbers."""

    quota: str
    shortages: tuple[Shortage, ...]


class KubeError(Exception):
    """Anything that a call to the cluster can raise. `retryable` says whether the same call may succeed later."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, status: Status | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or Status(message=message)
        self.retry_after_s = retry_after_s

    @property
    def reason(self) -> str:
        """Return Kubernetes' machine word for the refusal, empty when there was no answer."""
        return self.status.reason

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Return the single faults that the API server listed."""
        return self.status.details.causes


class ClusterUnavailable(KubeError):
    """No answer: no credentials yet, refused, timed out, cut off."""

    retryable = True


class ResponseTooLarge(KubeError):
    """The answer was larger than we are willing to hold."""


class PoisonObject(KubeError):
    """An object that cannot be understood. A sink may raise it too, to have one object set aside."""


class BadRequest(KubeError):
    """400: the call makes no sense now, for instance logs of a container that has not started."""


class Unauthorized(KubeError):
    """401: the credentials are no longer good; new ones are on their way."""

    retryable = True


class Forbidden(KubeError):
    """403: by RBAC, by quota, by PodSecurity or by another admission check."""

    @property
    def quota(self) -> QuotaExceeded | None:
        """Return the numbers when a ResourceQuota refused."""
        return parse_quota_message(self.message)

    @property
    def namespace_terminating(self) -> bool:
        """Tell whether the namespace is being deleted."""
        return any(cause.reason == "NamespaceTerminating" for cause in self.causes)


class NotFound(KubeError):
    """404."""


class Conflict(KubeError):
    """409: the object changed meanwhile, or a precondition does not hold."""


class AlreadyExists(Conflict):
    """409 on create: the name is taken."""


class Gone(KubeError):
    """410: this resourceVersion or continue token is too old; list again."""

    retryable = True


class Invalid(KubeError):
    """422: the object is wrong; `causes` name the fields."""


class TooManyRequests(KubeError):
    """429: the API server asks to wait `retry_after_s`."""

    retryable = True


class ServerError(KubeError):
    """5xx, or an answer that makes no sense."""

    retryable = True


_BY_CODE: dict[int, type[KubeError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: ServerError,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}
_BY_REASON: dict[str, type[KubeError]] = {"AlreadyExists": AlreadyExists, "Expired": Gone, "Gone": Gone}
_MESSAGE_MAX_CHARS = 2000


def error_from_response(code: int, body: bytes, headers: Mapping[str, str]) -> KubeError:
    """Return the error for an answer with an HTTP code of 400 or more; a body that is no Status is kept as text."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        status = Status()
    if not status.message:
        text = body[:_MESSAGE_MAX_CHARS].decode("utf-8", "replace").strip()
        status = msgspec.structs.replace(status, message=text or f"HTTP {code}")
    return error_from_status(msgspec.structs.replace(status, code=code), retry_after_s=_retry_after_s(headers))


def error_from_status(status: Status, *, retry_after_s: float | None = None) -> KubeError:
    """Return the error for a Status, as an answer or as the object of an ERROR event."""
    fallback = ServerError if status.code >= 500 or status.code == 0 else BadRequest
    kind = _BY_REASON.get(status.reason) or _BY_CODE.get(status.code, fallback)
    wait_s = retry_after_s if retry_after_s is not None else status.details.retry_after_seconds
    return kind(status.message[:_MESSAGE_MAX_CHARS], status=status, retry_after_s=wait_s)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        until = _http_date(value)
        return None if until is None else max(0.0, (until - datetime.now(UTC)).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


_QUOTA = re.compile(
    r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>.+?), used: (?P<used>.+?), limited: (?P<limited>.+)$"
)


def parse_quota_message(message: str) -> QuotaExceeded | None:
    """Return a quota refusal in numbers, or None when the text is another one.

    The form is that of Kubernetes' resourcequota admission plug-in:
    `… exceeded quota: NAME, requested: cpu=1,memory=2Gi, used: cpu=3,memory=1Gi, limited: cpu=4,memory=2Gi`.
    """
    match = _QUOTA.search(message)
    if match is None:
        return None
    try:
        requested, used, limited = (_amounts(match[group]) for group in ("requested", "used", "limited"))
        shortages = tuple(Shortage(name, requested[name], used[name], limited[name]) for name in sorted(requested))
    except (ValueError, KeyError):
        return None
    return QuotaExceeded(quota=match["quota"], shortages=shortages)


def _amounts(text: str) -> dict[str, Decimal]:
    pairs = (pair.split("=", 1) for pair in text.split(","))
    return {name.strip(): parse_quantity(amount.strip()) for name, amount in pairs}
