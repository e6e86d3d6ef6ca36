"""Server-side apply for one field manager, as the in-memory cluster does it. Pure.

Simplified against the real one: all fields belong to the one manager `berth` or to nobody, conflicts never happen
(Berth forces), and a list is one value. What the last apply set and this one leaves out is removed.
"""

from typing import Any

from portal.kube.gateway import Object


def merge_applied(*, live: Object, last_applied: Object, applied: Object) -> Object:
    """Return `live` after `applied`, given what this manager applied before; the arguments stay as they are."""
    merged = dict(live)
    for key in last_applied.keys() - applied.keys():
        merged = _without(merged, key, last_applied[key])
    for key, value in applied.items():
        merged[key] = _merged_value(live.get(key), last_applied.get(key), value)
    return merged


def _merged_value(live: Any, last: Any, value: Any) -> Any:
    if isinstance(live, dict) and isinstance(value, dict):
        return merge_applied(live=live, last_applied=last if isinstance(last, dict) else {}, applied=value)
    return value


def _without(merged: Object, key: str, owned: Any) -> Object:
    """Drop a field that is no longer applied; in a map, only the entries that were ours."""
    left = dict(merged)
    held = left.get(key)
    if isinstance(held, dict) and isinstance(owned, dict):
        remaining = merge_applied(live=held, last_applied=owned, applied={})
        if remaining:
            left[key] = remaining
            return left
    left.pop(key, None)
    return left
