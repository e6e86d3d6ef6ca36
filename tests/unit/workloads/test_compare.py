"""Two specs told apart: which fields, how, and a script line by line."""

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workloads import compare
from workloads.compare import Change, Difference, Line, LineKind, line_differences, outcome_of, spec_differences


def spec(**changes: Any) -> dict[str, Any]:
    """Return a stored spec with some fields of its own."""
    resources = {"cpu_millicores": 1000, "memory_mib": 512, "gpus": 0}
    return {"name": "train", "kind": "job", "image": "python:3.12", "resources": resources, **changes}


def test_a_spec_does_not_differ_from_itself() -> None:
    assert spec_differences(spec(script="a\nb"), spec(script="a\nb")) == []


def test_what_is_missing_and_what_is_empty_are_the_same() -> None:
    bare = spec()
    full = spec(command=[], args=(), script=None, env={}, template="", max_runtime_s=None)
    assert spec_differences(bare, full) == []
    assert spec_differences(full, bare) == []


def test_a_changed_field_shows_both_values() -> None:
    assert spec_differences(spec(), spec(image="python:3.13")) == [
        Difference(field="image", change=Change.CHANGED, left="python:3.12", right="python:3.13")
    ]


def test_a_field_that_one_side_lacks_is_added_or_removed() -> None:
    with_limit = spec(max_runtime_s=60)
    assert [d.change for d in spec_differences(spec(), with_limit)] == [Change.ADDED]
    assert [d.change for d in spec_differences(with_limit, spec())] == [Change.REMOVED]


def test_the_environment_is_compared_by_key_and_an_empty_value_is_a_value() -> None:
    left, right = spec(env={"LR": "0.1", "OLD": "1", "SAME": "x"}), spec(env={"SAME": "x", "LR": "0.2", "NEW": ""})
    assert spec_differences(left, right) == [
        Difference(field="env.LR", change=Change.CHANGED, left="0.1", right="0.2"),
        Difference(field="env.OLD", change=Change.REMOVED, left="1", right=None),
        Difference(field="env.NEW", change=Change.ADDED, left=None, right=""),
    ]


def test_resources_are_compared_by_key() -> None:
    more = {"cpu_millicores": 1000, "memory_mib": 1024}
    assert spec_differences(spec(), spec(resources=more)) == [
        Difference(field="resources.memory_mib", change=Change.CHANGED, left=512, right=1024)
    ]


def test_differences_come_in_the_order_of_a_spec() -> None:
    changed = spec(retries=2, name="other", env={"A": "1"}, command=["sh"], script="true")
    fields = [difference.field for difference in spec_differences(spec(), changed)]
    assert fields == ["name", "command", "script", "env.A", "retries"]


def test_a_list_from_a_spec_in_memory_equals_the_stored_one() -> None:
    assert spec_differences(spec(command=["sh", "-c"]), spec(command=("sh", "-c"))) == []


def test_a_script_comes_with_its_lines() -> None:
    found = spec_differences(spec(script="a\nb\nc"), spec(script="a\nB\nc"))
    assert found[0].lines == (
        Line(kind=LineKind.SAME, text="a", left=1, right=1),
        Line(kind=LineKind.REMOVED, text="b", left=2),
        Line(kind=LineKind.ADDED, text="B", right=2),
        Line(kind=LineKind.SAME, text="c", left=3, right=3),
    )


def test_equal_lines_far_from_a_change_are_one_gap() -> None:
    before = [str(n) for n in range(20)]
    after = [*before[:10], "new", *before[10:]]
    lines = line_differences("\n".join(before), "\n".join(after))
    assert [(line.kind, line.left_out) for line in lines if line.kind is LineKind.GAP] == [
        (LineKind.GAP, 7),
        (LineKind.GAP, 7),
    ]
    assert [line.text for line in lines if line.kind is LineKind.ADDED] == ["new"]
    assert [line.text for line in lines if line.kind is LineKind.SAME] == ["7", "8", "9", "10", "11", "12"]


def test_a_gap_never_stands_for_one_line_alone() -> None:
    before = [str(n) for n in range(4)]
    lines = line_differences("\n".join(before), "\n".join([*before, "end"]))
    assert LineKind.GAP not in {line.kind for line in lines}


def test_two_of_the_largest_scripts_are_told_apart_in_bounded_time() -> None:
    half = 65_000
    one = "\n".join(str(n % 97) for n in range(half))
    other = "\n".join(str(n * 31 % 89) for n in range(half))
    started = time.monotonic()
    lines = line_differences(one, other)
    assert time.monotonic() - started < 10
    assert {line.kind for line in lines} >= {LineKind.ADDED, LineKind.REMOVED}


_texts = st.lists(st.sampled_from(["a", "b", " ", " x", "é"]), max_size=30)


@given(_texts, _texts)
def test_each_side_of_a_difference_reads_as_its_text(left: list[str], right: list[str]) -> None:
    lines = line_differences("\n".join(left), "\n".join(right), context=10**6)
    if "\n".join(left) == "\n".join(right):
        assert lines == ()
        return
    assert [line.text for line in lines if line.left is not None] == left
    assert [line.text for line in lines if line.right is not None] == right


@given(_texts, _texts)
def test_lines_left_out_and_lines_shown_are_all_there_are(left: list[str], right: list[str]) -> None:
    left, right = [*left, "left"], [*right, "right"]
    lines = line_differences("\n".join(left), "\n".join(right), context=1)
    left_out = sum(line.left_out for line in lines)
    assert sum(line.left is not None for line in lines) + left_out == len(left)
    assert sum(line.right is not None for line in lines) + left_out == len(right)


def test_a_line_end_that_only_one_side_has_is_a_difference() -> None:
    lines = line_differences("a", "a\n")
    assert lines == (Line(kind=LineKind.SAME, text="a", left=1, right=1), Line(kind=LineKind.ADDED, right=2))


def test_an_outcome_knows_how_long_it_waited_and_ran() -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    ran = SimpleNamespace(
        state="failed",
        reason_code="exit_code",
        exit_code=3,
        attempts_made=2,
        created=created,
        started_at=created + timedelta(seconds=5),
        ended_at=created + timedelta(seconds=65),
    )
    assert outcome_of(ran) == compare.Outcome(
        state="failed", reason_code="exit_code", exit_code=3, attempts=2, waited_s=5.0, ran_s=60.0
    )


def test_what_has_not_started_has_waited_for_an_unknown_time() -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    row = SimpleNamespace(
        state="queued",
        reason_code="",
        exit_code=None,
        attempts_made=0,
        created=created,
        started_at=None,
        ended_at=None,
    )
    outcome = outcome_of(row)
    assert (outcome.waited_s, outcome.ran_s) == (None, None)
