"""What a scripted pod does at which moment, and what of its log is there."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from portal.embedded.kubelet.crilog import LogQuery
from portal.embedded.kubelet.podstatus import Running, Terminated, Waiting, status_of
from portal.embedded.scriptednode.control import Control, parse
from portal.embedded.scriptednode.logtext import Log, read
from portal.embedded.scriptednode.play import Run, Scene, part_of, record_of, scene
from portal.embedded.scriptednode.script import ANNOTATION, BadScript, Script, annotated, script_of

BEGUN = 1_700_000_000.0
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "red", "name": "one", "uid": "u"},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}], **spec},
    }


def at(seconds: float, script: Script, **spec: Any) -> Scene:
    return scene(part_of(pod(**spec), script, begun=BEGUN), BEGUN + seconds)


def terminated(seen: Scene) -> tuple[int, str]:
    assert isinstance(seen.state, Terminated)
    return seen.state.exit_code, seen.state.reason


def test_a_pod_waits_then_runs_then_ends() -> None:
    script = Script(start_s=2, run_s=5)
    waiting, running, ended = at(1, script), at(3, script), at(7, script)
    assert isinstance(waiting.state, Waiting)
    assert waiting.due == BEGUN + 2
    assert isinstance(running.state, Running)
    assert running.due == BEGUN + 7
    assert terminated(ended) == (0, "Completed")
    assert (ended.is_over, ended.due) == (True, None)


@pytest.mark.parametrize(
    ("script", "end"),
    [(Script(exit_code=3), (3, "Error")), (Script(end="oom"), (137, "OOMKilled")), (Script(), (0, "Completed"))],
)
def test_a_container_ends_as_its_script_says(script: Script, end: tuple[int, str]) -> None:
    assert terminated(at(1_000, script)) == end


def test_one_that_never_ends_runs_for_ever() -> None:
    seen = at(1e9, Script(end="never"))
    assert isinstance(seen.state, Running)
    assert seen.due is None


def test_an_evicted_pod_fails_as_a_whole_and_says_that_its_node_put_it_out() -> None:
    seen = at(100, Script(end="evicted"))
    status = status_of(record_of(pod(), seen, begun=BEGUN), restart_policy="Never", now=NOW)
    assert (status["phase"], status["reason"]) == ("Failed", "Evicted")
    disrupted = [each["reason"] for each in status["conditions"] if each["type"] == "DisruptionTarget"]
    assert disrupted == ["TerminationByKubelet"]


def test_a_failing_container_is_restarted_at_once_and_then_after_a_pause() -> None:
    script = Script(start_s=0, run_s=1, exit_code=1)
    first, second, pausing = (at(when, script, restartPolicy="OnFailure") for when in (0.5, 1.5, 5))
    assert [each.restarts for each in (first, second, pausing)] == [0, 1, 1]
    assert isinstance(second.state, Running)
    assert isinstance(pausing.state, Waiting)
    assert pausing.state.reason == "CrashLoopBackOff"
    assert pausing.last is not None
    assert pausing.last.exit_code == 1
    assert pausing.due == pytest.approx(BEGUN + 12, abs=0.1)


def test_a_container_that_succeeded_is_not_restarted_on_failure() -> None:
    assert at(1_000, Script(), restartPolicy="OnFailure").is_over


def test_a_pod_past_its_deadline_fails_with_that_reason() -> None:
    seen = at(4, Script(end="never"), activeDeadlineSeconds=3)
    assert (seen.phase, seen.reason, seen.is_over) == ("Failed", "DeadlineExceeded", True)
    assert terminated(seen) == (137, "Error")
    assert at(2, Script(end="never"), activeDeadlineSeconds=3).due == BEGUN + 3


@pytest.mark.parametrize(("stop_s", "code", "ends_after"), [(1.0, 143, 1.0), (60.0, 137, 30.0)])
def test_a_deleted_pod_ends_when_it_obeys_and_at_the_latest_with_its_grace(
    stop_s: float, code: int, ends_after: float
) -> None:
    deleted = pod()
    asked = datetime.fromtimestamp(BEGUN + 100, UTC)
    until = datetime.fromtimestamp(BEGUN + 130, UTC).isoformat()
    deleted["metadata"] |= {"deletionTimestamp": until, "deletionGracePeriodSeconds": 30}
    part = part_of(deleted, Script(end="never", stop_s=stop_s), begun=BEGUN)
    before, after = (scene(part, asked.timestamp() + ends_after + late) for late in (-0.5, 0.5))
    assert isinstance(before.state, Running)
    assert before.due == asked.timestamp() + ends_after
    assert terminated(after)[0] == code
    assert after.is_over


def test_a_pod_stopped_before_it_started_never_ran() -> None:
    seen = at(10, Script(start_s=60), activeDeadlineSeconds=5)
    assert terminated(seen) == (137, "ContainerStatusUnknown")
    assert seen.run is None


def test_a_pod_may_wait_for_ever_with_a_reason() -> None:
    seen = at(1_000, Script(waits="ImagePullBackOff"))
    assert isinstance(seen.state, Waiting)
    assert (seen.state.reason, seen.run, seen.due) == ("ImagePullBackOff", None, None)


@pytest.mark.parametrize(
    "told",
    [{"end": "soon"}, {"exit_code": 256}, {"exit_code": True}, {"run_s": "1"}, {"run_s": -1}, {"runs": 1},
     {"line": "a\nb"}, {"lines_per_s": 1e9}],
)  # fmt: skip
def test_a_script_that_cannot_be_played_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(BadScript):
        script_of(told)


def test_a_pods_own_annotation_goes_over_what_the_file_says() -> None:
    own = pod()
    own["metadata"]["annotations"] = {ANNOTATION: json.dumps({"exit_code": 2})}
    assert annotated(own, base=Script(run_s=9)) == Script(run_s=9, exit_code=2)


def test_the_first_pattern_that_fits_a_pod_decides() -> None:
    control = parse('{"default": {"run_s": 5}, "pods": {"red/*": {"exit_code": 1}, "*": {"exit_code": 2}}}')
    assert control.script_for(pod()) == Script(run_s=5, exit_code=1)
    other = pod()
    other["metadata"]["namespace"] = "blue"
    assert control.script_for(other).exit_code == 2


def test_patterns_say_which_nodes_are_silent() -> None:
    control = parse('{"silent": ["scripted-000?", "scripted-0100"]}')
    assert control.silent_of(["scripted-0001", "scripted-0010", "scripted-0100"]) == {"scripted-0001", "scripted-0100"}
    assert Control().silent_of(["scripted-0001"]) == frozenset()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"silence": []}', '{"silent": "all"}', '{"default": {"end": 1}}', '{"end_per_s": -1}']
)
def test_a_control_file_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(BadScript):
        parse(text)


def lines(log: Log, query: LogQuery) -> list[str]:
    chunks = read(log, query, look=lambda: log.run, wait=lambda _: None)
    return b"".join(chunks).decode().splitlines()


def test_a_log_has_its_first_lines_at_once_and_then_some_each_second() -> None:
    log = Log(Script(lines_at_start=2, lines_per_s=4), Run(BEGUN, BEGUN + 10), "one")
    assert [log.count(BEGUN + late) for late in (-1, 0, 0.25, 1, 10, 99)] == [0, 2, 3, 6, 42, 42]
    assert lines(log, LogQuery())[0] == "line 1 of one"
    assert len(lines(log, LogQuery())) == 42


def test_no_two_lines_have_one_time_and_none_goes_back() -> None:
    log = Log(Script(lines_at_start=3, lines_per_s=100_000), Run(BEGUN, BEGUN + 1), "one")
    assert all(before < after for before, after in pairwise(log.time_ns(n) for n in range(1_000)))


def test_a_part_of_a_log_can_be_read() -> None:
    log = Log(Script(lines_at_start=0, lines_per_s=1), Run(BEGUN, BEGUN + 10), "one")
    assert lines(log, LogQuery(tail_lines=2)) == ["line 9 of one", "line 10 of one"]
    since = datetime.fromtimestamp(BEGUN + 8, UTC)
    assert lines(log, LogQuery(since=since)) == ["line 8 of one", "line 9 of one", "line 10 of one"]
    assert lines(log, LogQuery(limit_bytes=10)) == ["line 1 of "]
    stamped = lines(log, LogQuery(tail_lines=1, timestamps=True))[0].split(" ", 1)
    assert stamped == ["2023-11-14T22:13:30.000000009Z", "line 10 of one"]


def test_a_followed_log_ends_when_its_run_does() -> None:
    begun = datetime.now(UTC).timestamp()
    log = Log(Script(lines_at_start=1), Run(begun, None), "one")
    ended = iter([Run(begun, None), Run(begun, None), Run(begun, begun)])
    waits: list[float] = []
    chunks = list(read(log, LogQuery(follow=True), look=lambda: next(ended), wait=waits.append))
    assert b"".join(chunks) == b"line 1 of one\n"
    assert len(waits) == 2


def test_a_cut_follow_is_cut_and_not_ended() -> None:
    def cut(_: float) -> None:
        raise ConnectionResetError

    log = Log(Script(lines_at_start=1), Run(BEGUN, None), "one")
    chunks = read(log, LogQuery(follow=True), look=lambda: log.run, wait=cut)
    assert next(chunks) == b"line 1 of one\n"
    with pytest.raises(ConnectionResetError):
        next(chunks)
