"""A spec with some of its fields changed. Pure; whether the result can run is for `specs` to say."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from workloads.specs import JobSpec, Problem, spec_of

_AT = re.compile(r" - at `\$\.([A-Za-z_.]+)")
_UNKNOWN = re.compile(r"unknown field `(.+?)`")
_MISSING = re.compile(r"missing required field `(.+?)`")


def patched(value: Any, changes: Any) -> Any:
    """Return JSON-like data with a JSON merge patch (RFC 7396): objects are merged, null removes, all else replaces."""
    if not isinstance(changes, Mapping):
        return changes
    result = dict(value) if isinstance(value, Mapping) else {}
    for name, change in changes.items():
        if change is None:
            result.pop(name, None)
        else:
            result[name] = patched(result.get(name), change)
    return result


def patched_spec(spec: Mapping[str, Any], changes: Mapping[str, Any]) -> JobSpec | Problem:
    """Return a stored spec with a merge patch, or what does not fit the shape of a spec."""
    try:
        return spec_of(patched(spec, changes))
    except msgspec.ValidationError as error:
        return shape_problem(str(error))


def shape_problem(message: str) -> Problem:
    """Return a decoder's complaint as a problem of its field; "" where it names none."""
    at = _AT.search(message)
    path = at[1].rstrip(".") if at else ""
    for pattern, code in ((_UNKNOWN, "unknown_field"), (_MISSING, "required")):
        if found := pattern.search(message):
            return Problem(f"{path}.{found[1]}" if path else found[1], code)
    return Problem(path.removeprefix("resources."), "shape")
