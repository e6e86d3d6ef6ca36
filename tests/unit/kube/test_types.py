"""Decoding of what a real API server sent (fixtures/*.json, recorded from Kubernetes v1.36.3)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.kube.decode import decode_object, decode_page
from portal.kube.types import EVENTS, JOBS, NAMESPACES, PODS, Event, Job, Namespace, Node, Pod, ResourceQuota

FIXTURES = Path(__file__).parent / "fixtures"


def pods() -> dict[str, Pod]:
    page = decode_page((FIXTURES / "pods.json").read_bytes(), Pod)
    assert page.poisoned == []
    return {pod.metadata.name: pod for pod in page.items}


def test_a_page_of_pods_is_decoded_whole() -> None:
    assert sorted(pods()) == [
        "deadline",
        "evicted",
        "exit-three",
        "oom",
        "pulling",
        "restarted",
        "running",
        "succeeded",
        "unschedulable",
    ]


def test_a_pod_carries_its_identity() -> None:
    meta = pods()["running"].metadata
    assert (meta.namespace, meta.labels["berth.dev/attempt"]) == ("berth-vision", "1")
    assert meta.annotations["berth.dev/uid"] == "6f1b1c1e-0000-4000-8000-0000000000a1"
    assert meta.creation_timestamp is not None
    assert meta.creation_timestamp.tzinfo is not None
    assert meta.uid
    assert meta.resource_version


def test_a_pod_carries_where_it_runs_and_what_it_asks_for() -> None:
    pod = pods()["running"]
    assert pod.spec.node_name == "node-1"
    assert pod.spec.priority == 0
    assert pod.spec.active_deadline_seconds == 3600
    assert pod.spec.containers[0].resources.requests == {"cpu": "250m", "memory": "64Mi"}
    assert pod.status.start_time == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_a_running_container_says_since_when_and_which_image() -> None:
    [status] = pods()["running"].status.container_statuses
    assert status.state.running is not None
    assert status.state.running.started_at == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert status.image_id.startswith("registry.berth.internal/busybox@sha256:")


@pytest.mark.parametrize(("name", "code", "reason"), [("exit-three", 3, "Error"), ("oom", 137, "OOMKilled")])
def test_an_ended_container_says_how(name: str, code: int, reason: str) -> None:
    [status] = pods()[name].status.container_statuses
    ended = status.state.terminated
    assert ended is not None
    assert (ended.exit_code, ended.reason) == (code, reason)
    assert ended.finished_at == datetime(2026, 11, 24, 10, 0, 7, tzinfo=UTC)


def test_a_restarted_container_keeps_its_last_end() -> None:
    [status] = pods()["restarted"].status.container_statuses
    assert status.restart_count == 2
    assert status.last_state.terminated is not None
    assert status.last_state.terminated.exit_code == 1


def test_a_waiting_container_says_why() -> None:
    [status] = pods()["pulling"].status.container_statuses
    assert status.state.waiting is not None
    assert status.state.waiting.reason == "ImagePullBackOff"


def test_a_pod_without_containers_yet_has_a_reason_of_its_own() -> None:
    assert pods()["deadline"].status.reason == "DeadlineExceeded"
    [condition] = pods()["unschedulable"].status.conditions
    assert (condition.type, condition.status, condition.reason) == ("PodScheduled", "False", "Unschedulable")
    assert "didn't match Pod's node affinity" in (condition.message or "")


def test_a_node_carries_what_the_scheduler_sees() -> None:
    node = decode_object((FIXTURES / "node.json").read_bytes(), Node)
    assert node.status.allocatable["nvidia.com/gpu"] == "4"
    assert node.status.conditions[0].type == "Ready"
    assert node.status.node_info.container_runtime_version.startswith("containerd://")
    assert {address.type: address.address for address in node.status.addresses}["InternalIP"] == "10.89.0.2"


def test_a_job_carries_its_counts() -> None:
    job = decode_object((FIXTURES / "job.json").read_bytes(), Job)
    assert (job.spec.completions, job.status.active) == (1, 1)
    assert job.status.start_time is not None


def test_an_event_says_about_whom_and_why() -> None:
    event = decode_object((FIXTURES / "event.json").read_bytes(), Event)
    assert (event.involved_object.kind, event.reason, event.type) == ("Pod", "FailedScheduling", "Warning")
    assert event.message


def test_a_quota_carries_limits_and_use() -> None:
    quota = decode_object((FIXTURES / "resourcequota.json").read_bytes(), ResourceQuota)
    assert quota.status.hard["requests.cpu"] == "2"
    assert quota.status.used["requests.cpu"]


def test_a_namespace_says_its_phase() -> None:
    assert decode_object((FIXTURES / "namespace.json").read_bytes(), Namespace).status.phase == "Active"


def test_paths_lead_to_collections_and_objects() -> None:
    assert PODS.path(namespace=None) == "/api/v1/pods"
    assert EVENTS.path(namespace="berth-x") == "/api/v1/namespaces/berth-x/events"
    assert JOBS.path(namespace="berth-x", name="a") == "/apis/batch/v1/namespaces/berth-x/jobs/a"
    assert NAMESPACES.path(namespace=None, name="berth-x") == "/api/v1/namespaces/berth-x"
    assert PODS.path(namespace="n", name="a", subresource="log") == "/api/v1/namespaces/n/pods/a/log"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_leave_its_collection_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        PODS.path(namespace="default", name=name)


def test_a_hostile_name_stays_one_segment() -> None:
    assert PODS.path(namespace="n", name="../../x?y#z") == "/api/v1/namespaces/n/pods/..%2F..%2Fx%3Fy%23z"
