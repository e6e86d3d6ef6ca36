"""The container node does what a cluster does: real containers, limits, policies, names, quotas, devices, restarts."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.plugins.clusters import RunningCluster
from tests.plugins.polling import until

pytestmark = [pytest.mark.cluster]

_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
Object = dict[str, Any]


@pytest.fixture
def namespace(container_node: RunningCluster) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    container_node.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _RESTRICTED}})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    until("the namespace has its account", lambda: container_node.api.get(account).status == 200, timeout_s=15)
    yield name
    container_node.kubectl("delete", "namespace", name, "--wait=false")


def pod(name: str, namespace: str, image: str, *command: str, **resources: str | int) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": list(command),
                    "resources": {"limits": resources},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def status_of(cluster: RunningCluster, namespace: str, name: str) -> Object:
    reply = cluster.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
    found: Object = reply.body.get("status", {}) if reply.status == 200 else {}
    return found


def end_of(cluster: RunningCluster, namespace: str, name: str) -> Object:
    """Wait for a pod's end and return how its container terminated."""

    def terminated() -> Object:
        statuses = status_of(cluster, namespace, name).get("containerStatuses", [])
        state: Object = statuses[0]["state"].get("terminated", {}) if statuses else {}
        return state

    return until(f"pod {name} ends", terminated, timeout_s=40)


def running(cluster: RunningCluster, namespace: str, name: str) -> Callable[[], bool]:
    return lambda: status_of(cluster, namespace, name).get("phase") == "Running"


def exec_in(cluster: RunningCluster, namespace: str, name: str, *command: str) -> str:
    """Run a command in a pod and return what it printed, its exit code last."""
    script = f"{' '.join(command)} 2>&1; echo code=$?"
    return cluster.kubectl("-n", namespace, "exec", name, "--", "sh", "-c", script)


def test_the_node_runs_real_containers(container_node: RunningCluster) -> None:
    node = container_node.api.get("/api/v1/nodes/berth-node").body
    assert node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")
    assert not node["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://1.")
    assert node["status"]["nodeInfo"]["kubeletVersion"] == "v1.36.3"


def test_a_restricted_pod_runs_and_its_log_can_be_read(container_node: RunningCluster, namespace: str) -> None:
    code = "import numpy, os; print('hello from', os.getuid(), int(numpy.arange(5).sum()))"
    container_node.create(pod("hello", namespace, container_node.images["python"], "python3", "-c", code))
    assert end_of(container_node, namespace, "hello")["exitCode"] == 0
    assert container_node.kubectl("-n", namespace, "logs", "hello") == "hello from 10001 10\n"


def test_an_image_that_was_never_made_is_not_pulled(container_node: RunningCluster, namespace: str) -> None:
    container_node.create(pod("lost", namespace, "registry.berth.internal/python:never", "true"))

    def waits() -> bool:
        statuses = status_of(container_node, namespace, "lost").get("containerStatuses", [])
        reasons = {status["state"].get("waiting", {}).get("reason") for status in statuses}
        return bool(reasons & {"ErrImagePull", "ImagePullBackOff"})

    until("the pull fails", waits, timeout_s=20)


def test_a_container_over_its_memory_limit_is_killed_and_says_so(
    container_node: RunningCluster, namespace: str
) -> None:
    eat = "hold = []\nwhile True: hold.append(bytearray(8 << 20))"
    container_node.create(
        pod("eater", namespace, container_node.images["python"], "python3", "-c", eat, memory="64Mi", cpu="500m")
    )
    end = end_of(container_node, namespace, "eater")
    assert (end["reason"], end["exitCode"]) == ("OOMKilled", 137)


def test_a_quota_is_refused_with_its_numbers(container_node: RunningCluster, namespace: str) -> None:
    container_node.create(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "limits", "namespace": namespace},
            "spec": {"hard": {"requests.cpu": "1"}},
        }
    )
    quota = f"/api/v1/namespaces/{namespace}/resourcequotas/limits"
    until("the quota is counted", lambda: container_node.api.get(quota).body["status"].get("hard"), timeout_s=15)
    manifest = pod("greedy", namespace, container_node.images["busybox"], "true", cpu="2")
    reply = container_node.api.request("POST", f"/api/v1/namespaces/{namespace}/pods", manifest)
    assert reply.status == 403
    assert (
        "exceeded quota: limits, requested: requests.cpu=2, used: requests.cpu=0, limited: requests.cpu=1" in reply.text
    )


def test_pretended_gpus_are_allocatable_and_reach_the_container(container_node: RunningCluster, namespace: str) -> None:
    node = container_node.api.get("/api/v1/nodes/berth-node").body
    assert node["status"]["allocatable"]["nvidia.com/gpu"] == "4"
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-A100-SXM4-80GB"
    asks = {"nvidia.com/gpu": 2}
    shell = container_node.images["busybox"]
    container_node.create(pod("gpu", namespace, shell, "sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES", **asks))
    end_of(container_node, namespace, "gpu")
    devices = container_node.kubectl("-n", namespace, "logs", "gpu").strip().split(",")
    assert len(devices) == len(set(devices)) == 2
    assert all(device.startswith("GPU-fake-") for device in devices)


@pytest.fixture
def server(container_node: RunningCluster, namespace: str) -> str:
    """Run a web server behind the Service `web` and a pod `client`; return the namespace."""
    python, shell = container_node.images["python"], container_node.images["busybox"]
    container_node.create(
        pod("web", namespace, python, "python3", "-m", "http.server", "8080", "--directory", "/etc"),
        pod("client", namespace, shell, "sleep", "600"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": namespace},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    for name in ("web", "client"):
        until(f"pod {name} runs", running(container_node, namespace, name), timeout_s=30)
    return namespace


def fetch(cluster: RunningCluster, namespace: str, host: str) -> bool:
    answer = exec_in(cluster, namespace, "client", "wget", "-q", "-O", "-", f"http://{host}/passwd")
    return "nobody" in answer and "code=0" in answer


def test_a_service_is_found_by_name_and_answers(container_node: RunningCluster, server: str) -> None:
    until("the service answers by its short name", lambda: fetch(container_node, server, "web"), timeout_s=20)
    assert fetch(container_node, server, f"web.{server}.svc.cluster.local")
    unknown = exec_in(container_node, server, "client", "nslookup", f"nothing.{server}.svc.cluster.local")
    assert "NXDOMAIN" in unknown


def test_a_default_deny_policy_is_enforced_until_another_allows(container_node: RunningCluster, server: str) -> None:
    until("the service answers without policies", lambda: fetch(container_node, server, "web"), timeout_s=20)
    policy: Object = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "deny", "namespace": server},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }
    container_node.create(policy)
    until("the policy forbids it", lambda: not fetch(container_node, server, "web"), timeout_s=10)
    opened = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [{"podSelector": {}}]}]}
    names = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }
    opened["egress"] = [{"to": [names], "ports": [{"port": 53, "protocol": "UDP"}]}, {"to": [{"podSelector": {}}]}]
    container_node.create({**policy, "metadata": {"name": "inside", "namespace": server}, "spec": opened})
    until("the second policy allows it", lambda: fetch(container_node, server, "web"), timeout_s=10)


def test_a_pod_does_not_reach_the_machine_round_the_node(container_node: RunningCluster, server: str) -> None:
    told = json.loads((container_node.state_dir / "network.json").read_text())
    link = told["ranges"][0].rsplit(".", 1)[0]
    answer = exec_in(container_node, server, "client", "timeout", "2", "nc", "-w", "1", f"{link}.1", "22")
    assert "code=0" not in answer
    assert "refused" not in answer  # a refusal would come from the machine: it was reached


@pytest.mark.faults
@pytest.mark.parametrize("role", ["kubelet", "containerd", "kube-apiserver"])
def test_a_role_that_dies_is_started_again_alone(container_node: RunningCluster, namespace: str, role: str) -> None:
    shell = container_node.images["busybox"]
    container_node.create(pod("before", namespace, shell, "sleep", "600"))
    until("the first pod runs", running(container_node, namespace, "before"), timeout_s=30)
    earlier = container_node.roles()
    os.kill(earlier[role], signal.SIGKILL)
    until(f"{role} is back", lambda: container_node.roles().get(role, 0) not in (0, earlier[role]), timeout_s=20)
    until("the API server answers", container_node.api.is_ready, timeout_s=30)
    container_node.create(pod("after", namespace, shell, "true"))
    assert end_of(container_node, namespace, "after")["exitCode"] == 0
    assert running(container_node, namespace, "before")()
    later = container_node.roles()
    assert later["etcd"] == earlier["etcd"]
