"""The timeline and the command of a workload, as pages show them. No database: rows that were never saved."""

import datetime as dt
from typing import Any

import pytest

from workloads.models import Attempt, Workload
from workloads.presentation import Step, command_text, timeline_of, told

START = dt.datetime(2026, 5, 14, 12, 0, tzinfo=dt.UTC)


def at(seconds: int) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def workload(state: str, **fields: Any) -> Workload:
    return Workload(name="w", state=state, created=START, spec={"max_runtime_s": 3600}, **fields)


def attempt(**moments: int) -> Attempt:
    return Attempt(n=1, created=at(1), **{name: at(seconds) for name, seconds in moments.items()})


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind for step in steps]


@pytest.mark.parametrize(
    ("row", "attempts", "expected"),
    [
        (workload("queued"), [], ["done", "now", "todo", "todo", "todo", "todo"]),
        (workload("starting"), [attempt()], ["done", "done", "now", "todo", "todo", "todo"]),
        (workload("starting"), [attempt(scheduled_at=2)], ["done", "done", "done", "now", "todo", "todo"]),
        (
            workload("running", started_at=at(9)),
            [attempt(scheduled_at=2, pulled_at=5, started_at=9)],
            ["done", "done", "done", "done", "now", "todo"],
        ),
        (
            workload("stopping"),
            [attempt(scheduled_at=2, pulled_at=5, started_at=9)],
            ["done", "done", "done", "done", "done", "now"],
        ),
        (workload("stopping"), [attempt()], ["done", "done", "todo", "todo", "todo", "now"]),
        (
            workload("failed", ended_at=at(60)),
            [attempt(scheduled_at=2, pulled_at=5, started_at=9)],
            ["done", "done", "done", "done", "done", "fail"],
        ),
        (workload("cancelled", ended_at=at(60)), [], ["done", "todo", "todo", "todo", "todo", "done"]),
    ],
)
def test_steps_are_done_as_far_as_moments_show(row: Workload, attempts: list[Attempt], expected: list[str]) -> None:
    assert kinds(timeline_of(row, attempts)) == expected


def test_each_step_says_how_long_it_took() -> None:
    row = workload("succeeded", started_at=at(70), ended_at=at(3670))
    steps = timeline_of(row, [attempt(scheduled_at=4, pulled_at=64, started_at=70)])
    assert [step.note for step in steps[1:5]] == ["after 1 s", "after 3 s", "after 1 min", "1 h"]
    assert steps[-1].what == "Succeeded"


def test_a_moment_that_nobody_saw_is_said_to_be_unknown() -> None:
    steps = timeline_of(workload("running", started_at=at(9)), [attempt(started_at=9)])
    assert [step.note for step in steps[2:4]] == ["time not seen", "time not seen"]


def test_a_workload_that_is_tried_again_waits_anew() -> None:
    steps = timeline_of(workload("queued"), [attempt(scheduled_at=2, started_at=3)])
    assert kinds(steps) == ["done", "now", "todo", "todo", "todo", "todo"]


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
