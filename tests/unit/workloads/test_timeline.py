"""The timeline of a workload in each of its states. No database: rows that were never saved."""

import datetime as dt
from typing import Any

import pytest

from workloads.models import Attempt, Workload
from workloads.timeline import timeline_of

START = dt.datetime(2026, 5, 14, 12, 0, tzinfo=dt.UTC)


def at(seconds: int) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def workload(state: str, ended: int | None = None) -> Workload:
    ended_at = None if ended is None else at(ended)
    return Workload(name="w", state=state, created=START, ended_at=ended_at, spec={"max_runtime_s": 3600})


def attempt(n: int = 1, admitted: int = 1, end_state: str = "", **moments: int) -> Attempt:
    named: dict[str, Any] = {f"{name}_at": at(seconds) for name, seconds in moments.items()}
    return Attempt(n=n, created=at(admitted), end_state=end_state, **named)


FAILED_ONCE = attempt(scheduled=2, started=3, ended=5, end_state="failed")


@pytest.mark.parametrize(
    ("row", "attempts", "expected"),
    [
        (workload("queued"), [], "Submitted done, Waiting now, Scheduled todo, Started todo, Running todo, End todo"),
        (
            workload("starting"),
            [attempt()],
            "Submitted done, Admitted done, Scheduling now, Started todo, Running todo, End todo",
        ),
        (
            workload("starting"),
            [attempt(scheduled=2)],
            "Submitted done, Admitted done, Scheduled done, Starting now, Running todo, End todo",
        ),
        (
            workload("running"),
            [attempt(scheduled=2, started=9)],
            "Submitted done, Admitted done, Scheduled done, Started done, Running now, End todo",
        ),
        (
            workload("stopping"),
            [attempt(scheduled=2, started=9)],
            "Submitted done, Admitted done, Scheduled done, Started done, Running done, Stopping now",
        ),
        (workload("stopping"), [attempt()], "Submitted done, Admitted done, Stopping now"),
        (
            workload("succeeded", ended=60),
            [attempt(scheduled=2, started=9, ended=60)],
            "Submitted done, Admitted done, Scheduled done, Started done, Ran done, Succeeded done",
        ),
        (
            workload("failed", ended=60),
            [attempt(scheduled=2, started=9, ended=60, end_state="failed")],
            "Submitted done, Admitted done, Scheduled done, Started done, Ran done, Failed fail",
        ),
        (
            workload("failed", ended=60),
            [attempt(scheduled=2)],
            "Submitted done, Admitted done, Scheduled done, Failed fail",
        ),
        (workload("cancelled", ended=60), [], "Submitted done, Waited done, Cancelled done"),
        (
            workload("cancelled", ended=60),
            [attempt(scheduled=2, started=9, ended=60, end_state="cancelled")],
            "Submitted done, Admitted done, Scheduled done, Started done, Ran done, Cancelled done",
        ),
        (
            workload("queued"),
            [FAILED_ONCE],
            "Submitted done, Attempt 1 failed fail, Waiting now, Scheduled todo, Started todo, Running todo, End todo",
        ),
        (
            workload("running"),
            [attempt(2, 6, scheduled=7, started=8), FAILED_ONCE],
            "Submitted done, Attempt 1 failed fail, Admitted done, Scheduled done, Started done, Running now, End todo",
        ),
        (
            workload("cancelled", ended=60),
            [FAILED_ONCE],
            "Submitted done, Attempt 1 failed fail, Waited done, Cancelled done",
        ),
    ],
)
def test_a_timeline_shows_what_was_seen_and_what_can_still_come(
    row: Workload, attempts: list[Attempt], expected: str
) -> None:
    assert ", ".join(f"{step.what} {step.kind}" for step in timeline_of(row, attempts)) == expected


def test_each_step_says_how_long_it_took() -> None:
    row = workload("succeeded", ended=3670)
    steps = timeline_of(row, [attempt(scheduled=4, started=70, ended=3670)])
    assert [step.note for step in steps[1:5]] == ["after 1 s", "after 3 s", "after 1 min", "1 h"]
    assert steps[-1].note == "14 May, 13:01"


def test_every_step_but_those_to_come_has_a_time() -> None:
    for state in ("queued", "starting", "running", "succeeded", "failed", "cancelled"):
        ended = 60 if state in ("succeeded", "failed", "cancelled") else None
        for attempts in ([], [attempt()], [attempt(scheduled=2, started=3)], [FAILED_ONCE]):
            for step in timeline_of(workload(state, ended), attempts):
                assert step.kind == "todo" or step.note or step.since, (state, step)


def test_a_moment_that_nobody_saw_is_left_out() -> None:
    steps = timeline_of(workload("running"), [attempt(started=9)])
    assert [step.what for step in steps] == ["Submitted", "Admitted", "Started", "Running", "End"]


def test_an_attempt_that_was_drained_was_stopped_and_did_not_fail() -> None:
    drained = attempt(scheduled=2, started=3, ended=5, end_state="cancelled")
    steps = timeline_of(workload("queued"), [drained])
    assert [(step.kind, step.what) for step in steps[:3]] == [
        ("done", "Submitted"),
        ("done", "Attempt 1 was stopped"),
        ("now", "Waiting"),
    ]


def test_a_retry_counts_its_wait_from_the_failure_before() -> None:
    steps = timeline_of(workload("running"), [attempt(2, 11, scheduled=12, started=13), FAILED_ONCE])
    assert [step.note for step in steps[2:4]] == ["after 6 s", "after 1 s"]


def test_the_time_limit_stands_at_the_end_that_it_may_bring() -> None:
    assert timeline_of(workload("running"), [attempt(scheduled=2, started=3)])[-1].note == "limit 1 h"
