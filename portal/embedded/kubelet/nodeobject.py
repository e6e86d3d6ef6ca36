"""The Node object and its lease as a kubelet writes them. Only computes."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portal.embedded.kubelet.podstatus import stamp

LEASE_SECONDS = 40
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_VERSION = "v1.36.3"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class NodeSpec:
    """What a node offers, and how it is reached."""

    name: str
    runtime: str  # as in "containerd://1.6.20"
    port: int
    cpus: int
    memory_mib: int
    pods: int = 110
    gpus: int = 0
    ephemeral_mib: int = 20_480
    address: str = "127.0.0.1"
    labels: Mapping[str, str] = field(default_factory=dict)


def node_manifest(spec: NodeSpec) -> dict[str, Any]:
    """Return the Node to create."""
    arch = _ARCHITECTURES.get(platform.machine(), platform.machine())
    known = {"kubernetes.io/hostname": spec.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": {**known, **spec.labels}},
        "spec": {},
    }


def node_status(spec: NodeSpec, *, now: datetime, since: datetime) -> dict[str, Any]:
    """Return the status of a healthy node that became ready at `since`."""
    sizes = {
        "cpu": str(spec.cpus),
        "memory": f"{spec.memory_mib}Mi",
        "ephemeral-storage": f"{spec.ephemeral_mib}Mi",
        "pods": str(spec.pods),
        **({"nvidia.com/gpu": str(spec.gpus)} if spec.gpus else {}),
    }
    return {
        "capacity": sizes,
        "allocatable": sizes,
        "addresses": [
            {"type": "InternalIP", "address": spec.address},
            {"type": "Hostname", "address": spec.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": spec.port}},
        "nodeInfo": _node_info(spec),
        "conditions": [
            *(_condition(kind, "False", f"KubeletHas{word}", now, since) for kind, word in _PRESSURES),
            _condition("Ready", "True", "KubeletReady", now, since),
        ],
    }


def lease_manifest(name: str, *, node_uid: str, now: datetime) -> dict[str, Any]:
    """Return the Lease to create."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": lease_spec(name, now=now),
    }


def lease_spec(name: str, *, now: datetime) -> dict[str, Any]:
    """Return what renews a lease."""
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": moment}


_PRESSURES = (
    ("MemoryPressure", "SufficientMemory"),
    ("DiskPressure", "NoDiskPressure"),
    ("PIDPressure", "SufficientPID"),
)


def _node_info(spec: NodeSpec) -> dict[str, str]:
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "operatingSystem": "linux",
        "kernelVersion": platform.release(),
        "osImage": spec.runtime.partition("://")[0],
        "containerRuntimeVersion": spec.runtime,
        "kubeletVersion": _VERSION,
        "kubeProxyVersion": "",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }


def _condition(kind: str, status: str, reason: str, now: datetime, since: datetime) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastHeartbeatTime": stamp(now),
        "lastTransitionTime": stamp(since),
    }
