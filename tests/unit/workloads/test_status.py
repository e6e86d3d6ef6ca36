"""What objects as a cluster writes them say of an attempt."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.kube.types import Job, Pod
from workloads import status
from workloads.specs import Reason, State
from workloads.status import AttemptObservation, attempt_observation, pod_observation

UID = "5b1f7a9e-6f3c-4a51-9c9e-0d3d2a6f4b10"
TIMES = [f"2026-11-24T10:00:0{second}Z" for second in range(9)]


def job(*conditions: dict[str, Any]) -> Job:
    body = {"metadata": {"name": "w-1"}, "spec": {"completions": 1}, "status": {"conditions": list(conditions)}}
    return msgspec.convert(body, Job)


def said(kind: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": TIMES[8]}


FAILED = said("Failed", "BackoffLimitExceeded")


def pod(
    phase: str = "Pending", *, node: str | None = "n1", state: dict[str, Any] | None = None, **fields: Any
) -> dict[str, Any]:
    pod_status: dict[str, Any] = {"phase": phase, **fields}
    if state is not None:
        main = {"name": "main", "image": "repo/app:1", "restartCount": 0, "state": state}
        if "waiting" not in state:
            main["imageID"] = "repo/app@sha256:abc"
        pod_status["containerStatuses"] = [main]
    container = {"name": "main", "image": "repo/app:1", "resources": {"limits": {"memory": "64Mi"}}}
    return {
        "metadata": {"uid": UID, "name": "w-1-0-abcde", "resourceVersion": "5", "creationTimestamp": TIMES[0]},
        "spec": {"nodeName": node, "activeDeadlineSeconds": 60, "containers": [container]},
        "status": pod_status,
    }


def seen(of: Job | None, *pods: dict[str, Any]) -> AttemptObservation:
    observed = [pod_observation(msgspec.convert(body, Pod)) for body in pods]
    return attempt_observation(of, [one for one in observed if one is not None])


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", message: str | None = None) -> dict[str, Any]:
    times = {"startedAt": TIMES[3], "finishedAt": TIMES[7]}
    return {"terminated": {"exitCode": code, "reason": reason, "message": message, **times}}


SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": TIMES[1]}
SANDBOX = {"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": TIMES[2]}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint(s). "
    "preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.",
}


def test_a_container_that_never_started_has_no_start() -> None:
    never = ended(128, "StartError", "no such program")
    never["terminated"]["startedAt"] = "1970-01-01T00:00:00Z"
    found = seen(job(FAILED), pod("Failed", state=never))
    assert (found.state, found.reason, found.started_at) == (State.FAILED, Reason.START_FAILED, None)
    assert seen(job(), pod("Failed", state=never)).state == State.STARTING


def test_a_job_without_a_pod_is_being_created() -> None:
    assert seen(job()) == AttemptObservation(state=State.STARTING, reason=Reason.CREATING)


def test_a_pod_that_fits_nowhere_tells_the_scheduler_s_numbers() -> None:
    found = seen(job(), pod(node=None, conditions=[UNSCHEDULABLE]))
    assert (found.state, found.reason) == (State.STARTING, Reason.UNSCHEDULABLE)
    assert found.params == {
        "message": UNSCHEDULABLE["message"],
        "nodes": 3,
        "available": 0,
        "causes": [
            {"count": 1, "text": "Insufficient cpu"},
            {"count": 2, "text": "node(s) had untolerated taint(s)"},
        ],
    }


@pytest.mark.parametrize("message", ["", "no nodes available to schedule pods", "0/x nodes are available: ,,,"])
def test_a_scheduler_that_speaks_otherwise_is_quoted(message: str) -> None:
    assert status.scheduler_numbers(message) == {"message": message}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ErrImagePull", Reason.IMAGE_PULL_FAILED),
        ("ImagePullBackOff", Reason.IMAGE_PULL_FAILED),
        ("ErrImageNeverPull", Reason.IMAGE_PULL_FAILED),
        ("InvalidImageName", Reason.IMAGE_INVALID),
        ("CreateContainerConfigError", Reason.START_FAILED),
        ("RunContainerError", Reason.START_FAILED),
        ("ContainerCreating", Reason.CONTAINER_CREATING),
        ("SomethingNew", Reason.CONTAINER_CREATING),
    ],
)
def test_what_a_container_waits_for_is_told(word: str, reason: Reason) -> None:
    found = seen(job(), pod(state=waiting(word, "because"), conditions=[SCHEDULED]))
    assert (found.state, found.reason) == (State.STARTING, reason)
    if reason is not Reason.CONTAINER_CREATING:
        assert found.params == {"image": "repo/app:1", "word": word, "message": "because"}


def test_a_container_that_ended_tells_when() -> None:
    found = pod_observation(msgspec.convert(pod("Failed", state=ended(3)), Pod))
    assert found is not None
    assert [container["ended_at"] for container in found.containers] == ["2026-11-24T10:00:07+00:00"]


def test_a_container_whose_sandbox_is_up_waits_for_its_image() -> None:
    found = seen(job(), pod(state=waiting("ContainerCreating"), conditions=[SCHEDULED, SANDBOX]))
    assert (found.reason, found.params) == (Reason.PULLING_IMAGE, {"image": "repo/app:1"})


def test_a_running_pod_tells_where_and_since_when() -> None:
    found = seen(job(), pod("Running", state={"running": {"startedAt": TIMES[3]}}, conditions=[SCHEDULED]))
    assert (found.state, found.node_name, found.image_digest) == (State.RUNNING, "n1", "repo/app@sha256:abc")
    assert [moment and moment.second for moment in (found.scheduled_at, found.started_at, found.ended_at)] == [
        1,
        3,
        None,
    ]
    assert not found.settled


def test_a_pod_that_succeeded_is_enough_where_one_success_is_asked_for() -> None:
    found = seen(job(), pod("Succeeded", state=ended(0, "Completed")))
    assert (found.state, found.exit_code, found.settled) == (State.SUCCEEDED, 0, True)
    assert found.ended_at is not None
    assert found.ended_at.second == 7


@pytest.mark.parametrize(
    ("body", "reason", "params"),
    [
        (pod("Failed", state=ended(3)), Reason.EXIT_CODE, {"exit_code": 3}),
        (pod("Failed", state=ended(137, "OOMKilled")), Reason.OOM_KILLED, {"exit_code": 137, "limit": "64Mi"}),
        (
            pod("Failed", state=ended(128, "StartError", "exec: nope")),
            Reason.START_FAILED,
            {"exit_code": 128, "word": "StartError", "message": "exec: nope"},
        ),
        # What runs and ends with 127 is a shell that did not find a command: the container itself did start.
        (pod("Failed", state=ended(127)), Reason.EXIT_CODE, {"exit_code": 127}),
        (pod("Failed", reason="DeadlineExceeded", state=ended(137)), Reason.DEADLINE, {"limit_s": 60}),
        (
            pod("Failed", reason="Evicted", message="The node was low on memory", state=ended(137)),
            Reason.EVICTED,
            {"word": "Evicted", "message": "The node was low on memory"},
        ),
        (pod("Failed", reason="NodeLost"), Reason.NODE_LOST, {"node": "n1", "word": "NodeLost"}),
        (
            pod("Failed", conditions=[said("DisruptionTarget", "DeletionByTaintManager", "gone")]),
            Reason.NODE_LOST,
            {"node": "n1", "word": "DeletionByTaintManager", "message": "gone"},
        ),
        (
            pod("Failed", conditions=[said("DisruptionTarget", "PreemptionByScheduler")], state=ended(143)),
            Reason.EVICTED,
            {"word": "PreemptionByScheduler"},
        ),
        (pod("Failed", reason="OutOfcpu"), Reason.START_FAILED, {"word": "OutOfcpu"}),
        (pod("Failed"), Reason.UNKNOWN, {}),
    ],
)
def test_a_failed_pod_tells_why(body: dict[str, Any], reason: Reason, params: dict[str, Any]) -> None:
    found = seen(job(FAILED), body)
    assert (found.state, found.reason, found.params) == (State.FAILED, reason, params)
    assert found.settled


def test_a_failure_of_an_init_container_is_told() -> None:
    init = {"name": "init", "state": ended(9)}
    found = seen(job(FAILED), pod("Failed", initContainerStatuses=[init]))
    assert (found.reason, found.params) == (Reason.EXIT_CODE, {"exit_code": 9})


def test_a_job_without_pods_that_failed_by_its_deadline_says_so() -> None:
    assert seen(job(said("Failed", "DeadlineExceeded"))).reason is Reason.DEADLINE
    unknown = seen(job(said("Failed", "Odd", "words")))
    assert (unknown.reason, unknown.params) == (Reason.UNKNOWN, {"word": "Odd", "message": "words"})


def test_between_the_pod_s_end_and_the_job_s_word_nothing_is_decided() -> None:
    assert seen(job(), pod("Failed", state=ended(3))).state is State.RUNNING


def test_pods_that_still_run_keep_a_failed_attempt_from_being_settled() -> None:
    other = pod("Running", state={"running": {"startedAt": TIMES[3]}})
    assert not seen(job(FAILED), pod("Failed", state=ended(3)), other).settled


def test_the_order_of_pods_does_not_matter() -> None:
    first, second = pod("Failed", state=ended(3)), pod("Running", state={"running": {"startedAt": TIMES[5]}})
    second["metadata"] |= {"name": "z", "creationTimestamp": TIMES[4]}
    assert seen(job(), first, second) == seen(job(), second, first)


@pytest.mark.parametrize("uid", ["", "../..", "5b1f7a9e"])
def test_a_pod_without_a_proper_uid_is_nothing(uid: str) -> None:
    body = pod()
    body["metadata"]["uid"] = uid
    assert pod_observation(msgspec.convert(body, Pod)) is None


def test_times_without_a_zone_count_as_utc() -> None:
    found = seen(job(), pod("Running", state={"running": {"startedAt": "2026-11-24T10:00:03"}}))
    assert found.started_at is not None
    assert found.started_at.utcoffset() is not None


texts = st.text(max_size=700) | st.none()


@given(
    phase=st.text(max_size=20) | st.sampled_from(["Pending", "Running", "Succeeded", "Failed"]),
    reason=texts,
    message=texts,
    exit_code=st.integers(-(2**62), 2**62),
    word=texts,
    index=st.text(max_size=30),
)
def test_hostile_values_come_out_bounded(
    phase: str, reason: str | None, message: str | None, exit_code: int, word: str | None, index: str
) -> None:
    body = pod(phase, reason=reason, message=message, state=ended(exit_code, word or "", message))
    body["metadata"]["annotations"] = {"batch.kubernetes.io/job-completion-index": index}
    observed = pod_observation(msgspec.convert(body, Pod))
    assert observed is not None
    assert -(2**31) <= (observed.exit_code or 0) < 2**31
    assert 0 <= observed.index < 2**31
    assert len(observed.phase) <= 12
    text = repr((observed.params, observed.containers))
    assert "\\x00" not in text
    assert all(len(value) <= status.MAX_TEXT_CHARS for value in observed.params.values() if isinstance(value, str))
    attempt_observation(job(FAILED), [observed])
