"""The two clusters that the contract of `Kube` is checked against: the one in memory and the real control plane."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from portal.kube.client import connect_file
from portal.kube.errors import NotFound
from portal.kube.fake import FakeKube
from portal.kube.gateway import Kube, Object
from portal.kube.types import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS, Resource
from tests.plugins.polling import until

DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
RELICS = Resource("contract.berth.dev", "v1", "relics", "Relic")


@dataclass
class Cluster:
    """A cluster with a namespace to play in, and the few things that only its keeper can do."""

    kube: Kube
    namespace: str
    make_late_kind: Callable[[], Resource]

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


def late_kind_in(fake: FakeKube) -> Resource:
    """Forget the history of all kinds."""
    fake.compact()
    return RELICS


def serve_relics(kube: Kube) -> Resource:
    """Define a kind of objects; the API server remembers its changes only from then on."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{RELICS.plural}.{RELICS.group}"},
        "spec": {
            "group": RELICS.group,
            "scope": "Namespaced",
            "names": {"plural": RELICS.plural, "singular": "relic", "kind": RELICS.kind},
            "versions": [version],
        },
    }
    kube.apply(DEFINITIONS, definition)
    until("the API server knows the kind", lambda: is_served(kube, RELICS), timeout_s=20)
    return RELICS


def is_served(kube: Kube, resource: Resource) -> bool:
    """Tell whether the API server knows the kind."""
    try:
        kube.list(resource)
    except NotFound:
        return False
    return True


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.cluster)])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    namespace = f"berth-contract-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        fake = FakeKube()
        made = Cluster(fake, namespace, lambda: late_kind_in(fake))
    else:
        real = connect_file(request.getfixturevalue("control_plane").admin_kubeconfig)
        made = Cluster(real, namespace, lambda: serve_relics(real))
    made.kube.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    made.kube.apply(SERVICEACCOUNTS, account, namespace=namespace)
    yield made
    made.kube.delete(NAMESPACES, namespace)
