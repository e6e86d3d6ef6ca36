"""The two clusters that the contract of `Kube` is checked against: the one in memory and the real control plane."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from portal.kube.client import connect_file
from portal.kube.fake import FakeKube
from portal.kube.gateway import Kube, Object
from portal.kube.types import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS


@dataclass
class Cluster:
    """A cluster with a namespace to play in, and the few things that only its keeper can do."""

    kube: Kube
    namespace: str
    oldest_version: str
    forget_history: Callable[[], None]

    def config_map(self, name: str, *, labels: dict[str, str] | None = None, **fields: str) -> Object:
        """Create a ConfigMap."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels or {}},
            "data": fields,
        }
        return self.kube.create(CONFIGMAPS, body, namespace=self.namespace)


def pod(name: str, **spec: object) -> Object:
    """Return the manifest of a small pod."""
    container = {"name": "main", "image": "registry.example/none:1", "resources": {"requests": {"cpu": "10m"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [container], "automountServiceAccountToken": False, **spec},
    }


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    namespace = f"berth-contract-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        fake = FakeKube()
        made = Cluster(fake, namespace, "1", fake.compact)
    else:
        real = connect_file(request.getfixturevalue("control_plane").admin_kubeconfig)
        made = Cluster(real, namespace, "1", lambda: None)
    made.kube.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    made.kube.apply(SERVICEACCOUNTS, account, namespace=namespace)
    yield made
    made.kube.delete(NAMESPACES, namespace)
