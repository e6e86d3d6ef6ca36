from typing import Any

import pytest

from portal.kube.fake_merge import merge_applied


@pytest.mark.parametrize(
    ("live", "last", "now", "merged"),
    [
        ({}, {}, {"a": 1}, {"a": 1}),
        ({"a": 1, "other": 2}, {"a": 1}, {"a": 3}, {"a": 3, "other": 2}),
        ({"a": 1, "other": 2}, {"a": 1}, {}, {"other": 2}),
        ({"m": {"x": 1, "y": 2}}, {"m": {"x": 1}}, {"m": {"z": 3}}, {"m": {"y": 2, "z": 3}}),
        ({"m": {"x": 1, "y": 2}}, {"m": {"x": 1}}, {}, {"m": {"y": 2}}),
        ({"m": {"x": 1}}, {"m": {"x": 1}}, {}, {}),
        ({"l": [1, 2]}, {"l": [1, 2]}, {"l": [3]}, {"l": [3]}),
        ({"m": "text"}, {"m": "text"}, {"m": {"x": 1}}, {"m": {"x": 1}}),
    ],
)
def test_apply_changes_what_is_ours_and_nothing_else(
    live: dict[str, Any], last: dict[str, Any], now: dict[str, Any], merged: dict[str, Any]
) -> None:
    assert merge_applied(live=live, last_applied=last, applied=now) == merged
