"""The reason and the command of a workload, as pages show them. No database: rows that were never saved."""

import datetime as dt
from typing import Any

import pytest

from workloads.models import Workload
from workloads.presentation import command_text, told

START = dt.datetime(2026, 5, 14, 12, 0, tzinfo=dt.UTC)


def workload(state: str, **fields: Any) -> Workload:
    return Workload(name="w", state=state, created=START, spec={}, **fields)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, ""),
        ({"command": ["sh", "-c", "echo a b"]}, "sh -c 'echo a b'"),
        ({"script": "x"}, "python3 /workspace/.berth/script"),
        ({"script": "x", "command": ["bash"], "args": ["-v"]}, "bash /workspace/.berth/script -v"),
    ],
)
def test_a_command_reads_as_it_would_be_typed(spec: dict[str, Any], text: str) -> None:
    assert command_text(spec) == text


@pytest.mark.parametrize(
    ("state", "reason", "tone"),
    [("failed", "exit_code", "is-bad"), ("starting", "image_pull_failed", "is-warn"), ("queued", "over_quota", "")],
)
def test_a_reason_is_loud_only_where_somebody_must_act(state: str, reason: str, tone: str) -> None:
    assert told(workload(state, reason_code=reason)).tone == tone
