"""Lists in pages by key: {"results": […], "next": url or null}, stable while rows come and go, no counts."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from portal.core.api.bodies import is_clean
from portal.core.api.views import Shape
from portal.core.errors import Rejected

PAGE_SIZE = 50
MOST_ROWS = 200
LIMIT, CURSOR = "limit", "cursor"
_MOST_CURSOR = 2000
_shapes: dict[Shape, Shape] = {}


class BadCursor(Rejected):
    """The cursor is none that we gave: 400."""

    def __init__(self) -> None:
        super().__init__({CURSOR: [_("This cursor is not valid. Start again without it.")]})


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of a page, and the token of the next one where there is one."""

    rows: Sequence[Any]
    token: str | None


class PageQuerySerializer(serializers.Serializer[Any]):
    """Which page of a list."""

    limit = serializers.IntegerField(required=False, min_value=1, max_value=MOST_ROWS, default=PAGE_SIZE)
    cursor = serializers.CharField(required=False, help_text="From `next` of the page before.")


def page_serializer(shape: Shape) -> Shape:
    """Return the shape of a page of these rows, one and the same for each row's shape."""
    if shape not in _shapes:
        name = shape.__name__.removesuffix("Serializer")
        fields = {"results": shape(many=True), "next": serializers.URLField(allow_null=True)}
        _shapes[shape] = type(inline_serializer(f"{name}Page", fields))
        _shapes[shape].berth_is_page = True  # type: ignore[attr-defined]
    return _shapes[shape]


def limit_of(request: Request) -> int:
    """Return how many rows are asked for, 1 to 200. Raises Rejected."""
    text = request.query_params.get(LIMIT, str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS)) and 1 <= int(text) <= MOST_ROWS):
        raise Rejected({LIMIT: [_("Enter a number from 1 to %(most)d.") % {"most": MOST_ROWS}]})
    return int(text)


def token_of(request: Request) -> str | None:
    """Return the cursor of the query as it came, None on a first page."""
    return request.query_params.get(CURSOR)


def keyset_page(request: Request, rows: QuerySet[Any], *, order: Sequence[str]) -> Page:
    """Return the page that the query asks for, in this order: columns of one direction, unique together, no nulls.

    One statement whatever the number of rows. Raises Rejected for a bad limit, BadCursor.
    """
    limit, token = limit_of(request), token_of(request)
    columns = [column.removeprefix("-") for column in order]
    if token is not None:
        rows = rows.filter(_beyond(columns, _values(rows.model, columns, token), down=order[0].startswith("-")))
    taken = list(rows.order_by(*order)[: limit + 1])
    shown = taken[:limit]
    return Page(shown, _token(shown[-1], columns) if len(taken) > limit else None)


def page_response(request: Request, page: Page, shape: Shape, **context: Any) -> Response:
    """Answer with a page's rows in a shape."""
    return list_response(request, shape(page.rows, many=True, context=context).data, page.token)


def list_response(request: Request, results: Any, token: str | None) -> Response:
    """Answer with results that are ready, and the URL of the page after them."""
    url = request.build_absolute_uri() if token else ""
    return Response({"results": results, "next": replace_query_param(url, CURSOR, token) if token else None})


def _beyond(columns: Sequence[str], values: Sequence[Any], *, down: bool) -> Q:
    """Return the condition for rows after a place: the first column bounds the index scan, the others break ties."""
    than = "lt" if down else "gt"
    wanted, equal = Q(), Q()
    for column, value in zip(columns, values, strict=True):
        wanted |= equal & Q(**{f"{column}__{than}": value})
        equal &= Q(**{column: value})
    return Q(**{f"{columns[0]}__{than}e": values[0]}) & wanted


def _token(row: Model, columns: Sequence[str]) -> str:
    values = [str(_value(row, column)) for column in columns]
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _value(row: Any, column: str) -> Any:
    for part in column.split("__"):
        row = getattr(row, part)
    return row


def _values(model: type[Model], columns: Sequence[str], token: str) -> list[Any]:
    try:
        if len(token) > _MOST_CURSOR:
            raise BadCursor
        texts = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        if not isinstance(texts, list) or len(texts) != len(columns):
            raise BadCursor
        pairs = zip(columns, texts, strict=True)
        return [_field(model, column).to_python(_text(text)) for column, text in pairs]
    except (binascii.Error, ValueError, RecursionError, OverflowError, ValidationError) as error:
        raise BadCursor from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_clean(value):
        raise BadCursor
    return value


def _field(model: Any, column: str) -> "Field[Any, Any]":
    *relations, name = column.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model
    found: Field[Any, Any] = model._meta.get_field(name)
    return found
