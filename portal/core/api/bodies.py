"""What comes in and goes out: JSON only. Whatever a database or a cluster could choke on ends here."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MOST_DEPTH = 40
_SURROGATES = range(0xD800, 0xE000)


class TooLarge(exceptions.APIException):
    """The body is larger than we read: 413."""

    status_code = 413
    default_code = "too_large"
    default_detail = _("The request is too large.")


class JsonParser(BaseParser):
    """Read a JSON body of bounded size and depth, without NaN, NUL and half characters."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the value. Raises ParseError, TooLarge."""
        body = stream.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
        if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        try:
            value = json.loads(body.decode("utf-8"), parse_constant=_refused, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise exceptions.ParseError(_("The body is not JSON in UTF-8.")) from error
        _check(value, MOST_DEPTH)
        return value


class AlwaysJson(BaseContentNegotiation):
    """Answer JSON whatever is asked for; a body has the type it says it has."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser of the body's type, None where there is none (415)."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first renderer."""
        first = next(iter(renderers))
        return first, str(first.media_type)


def is_clean(text: str) -> bool:
    """Tell whether a text can be stored: no NUL, no half of a character outside the basic plane."""
    return "\0" not in text and (text.isascii() or not any(ord(letter) in _SURROGATES for letter in text))


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise exceptions.ParseError(_("The body is nested too deeply."))
    if isinstance(value, str):
        if not is_clean(value):
            raise exceptions.ParseError(_("The body holds a NUL or half a character."))
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check(key, depth)
            _check(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, depth - 1)


def _refused(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
