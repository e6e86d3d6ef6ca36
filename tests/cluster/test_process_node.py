"""Pods as plain processes on a control plane without containers: how they run, end and log."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.clusters import RunningCluster, start_cluster
from tests.plugins.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]
END_S = 60.0


@pytest.fixture(scope="module")
def node(cluster_binary: Path) -> Iterator[RunningCluster]:
    """A cluster whose pods are processes."""
    cluster = start_cluster(cluster_binary, "--processes")
    yield cluster
    cluster.stop()


def pod(cluster: RunningCluster, name: str, shell: str, *, memory: str = "64Mi", **spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": cluster.images["busybox"],
        "command": ["sh", "-c", shell],
        "workingDir": "/workspace",
        "resources": {"limits": {"memory": memory}},
        "volumeMounts": [{"name": "workspace", "mountPath": "/workspace"}],
    }
    body = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "workspace", "emptyDir": {}}],
        "containers": [{**container, **spec.pop("container", {})}],
        **spec,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


def status(cluster: RunningCluster, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))["status"]
    return told


def run(cluster: RunningCluster, manifest: dict[str, Any], phase: str) -> dict[str, Any]:
    name = manifest["metadata"]["name"]
    cluster.create(manifest)
    until(
        lambda: f"{name} is {phase}: {status(cluster, name)}",
        lambda: status(cluster, name).get("phase") == phase,
        timeout_s=END_S,
    )
    return status(cluster, name)


def terminated(told: dict[str, Any]) -> dict[str, Any]:
    ended: dict[str, Any] = told["containerStatuses"][0]["state"]["terminated"]
    return ended


def test_a_pod_succeeds_and_its_log_can_be_read(node: RunningCluster) -> None:
    run(node, pod(node, "succeeds", "echo one; echo two; pwd; id -u"), "Succeeded")
    assert node.kubectl("logs", "succeeds") == "one\ntwo\n/workspace\n65534\n"
    assert node.kubectl("logs", "succeeds", "--tail=1") == "65534\n"


def test_a_failed_pod_tells_its_exit_code(node: RunningCluster) -> None:
    ended = terminated(run(node, pod(node, "fails", "exit 3"), "Failed"))
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")


def test_a_pod_that_holds_too_much_memory_is_killed_for_it(node: RunningCluster) -> None:
    hog = ["python3", "-c", "x = bytearray(300 << 20); import time; time.sleep(60)"]
    manifest = pod(node, "hog", "", container={"image": node.images["python"], "command": hog})
    ended = terminated(run(node, manifest, "Failed"))
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_a_pod_past_its_deadline_fails_with_that_reason(node: RunningCluster) -> None:
    assert run(node, pod(node, "late", "sleep 60", activeDeadlineSeconds=2), "Failed")["reason"] == "DeadlineExceeded"


def test_a_program_that_is_missing_is_told_as_a_runtime_tells_it(node: RunningCluster) -> None:
    ended = terminated(run(node, pod(node, "missing", "", container={"command": ["nosuch"]}), "Failed"))
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")


def test_an_unknown_image_is_waited_for(node: RunningCluster) -> None:
    node.create(pod(node, "unknown", "true", container={"image": "example.test/no:1"}))

    def reason() -> str:
        listed = status(node, "unknown").get("containerStatuses", [{}])
        return str(listed[0].get("state", {}).get("waiting", {}).get("reason", ""))

    until("the pull backs off", lambda: reason() == "ImagePullBackOff", timeout_s=END_S)


def test_a_deleted_pod_ends_and_is_gone(node: RunningCluster) -> None:
    run(node, pod(node, "deleted", "sleep 600"), "Running")
    node.kubectl("delete", "pod", "deleted", "--timeout=30s")
    assert node.kubectl("get", "pods", "--ignore-not-found", "deleted") == ""


def test_a_pod_found_after_a_restart_of_the_node_has_failed(node: RunningCluster) -> None:
    run(node, pod(node, "survivor", "sleep 600"), "Running")
    os.kill(node.roles()["process-node"], signal.SIGKILL)
    until("the pod failed", lambda: status(node, "survivor").get("reason") == "NodeRestarted", timeout_s=END_S)
