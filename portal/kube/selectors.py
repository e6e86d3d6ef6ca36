"""Label and field selectors as the API server reads them, for the in-memory cluster. Pure."""

import re
from collections.abc import Callable
from typing import Any

from portal.kube.errors import BadRequest
from portal.kube.gateway import Object

Predicate = Callable[[Object], bool]
_SET = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s+(?P<op>in|notin)\s*\((?P<values>[^)]*)\)\s*$")
_EQUAL = re.compile(r"^\s*(?P<key>[^\s!=,()]+)\s*(?P<op>==|=|!=)\s*(?P<value>[^\s!=,()]*)\s*$")
_EXISTS = re.compile(r"^\s*(?P<no>!?)\s*(?P<key>[^\s!=,()]+)\s*$")
_COMMA_OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")
_FIELDS = frozenset(
    {
        "metadata.name",
        "metadata.namespace",
        "status.phase",
        "spec.nodeName",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.uid",
    }
)


def label_predicate(selector: str) -> Predicate:
    """Return a test for an object's labels. Raises BadRequest when the selector cannot be read."""
    terms = [_label_term(term) for term in _COMMA_OUTSIDE_PARENTHESES.split(selector)] if selector.strip() else []
    return lambda body: all(term(_labels(body)) for term in terms)


def field_predicate(selector: str) -> Predicate:
    """Return a test for an object's fields. Raises BadRequest for a field that no kind can be selected by."""
    terms = [_field_term(term) for term in selector.split(",")] if selector.strip() else []
    return lambda body: all(term(body) for term in terms)


def _labels(body: Object) -> dict[str, str]:
    found: dict[str, str] = body.get("metadata", {}).get("labels") or {}
    return found


def _label_term(term: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET.match(term):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        if match["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUAL.match(term):
        key, value = match["key"], match["value"]
        if match["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _EXISTS.match(term):
        key, wanted = match["key"], not match["no"]
        return lambda labels: (key in labels) is wanted
    raise BadRequest(f"unable to parse requirement: {term!r}")


def _field_term(term: str) -> Predicate:
    match = _EQUAL.match(term)
    if match is None or match["key"] not in _FIELDS:
        raise BadRequest(f"field label not supported: {term!r}")
    path, value, equal = match["key"].split("."), match["value"], match["op"] != "!="
    return lambda body: (_at(body, path) == value) is equal


def _at(body: Any, path: list[str]) -> str:
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return "" if body is None else str(body)
