"""The three identities of deploy/rbac.yaml on a real API server: what they can do, and above all what they cannot."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal.kube.bootstrap import ClusterAccess
from portal.kube.client import connect_file, credentials_file
from portal.kube.errors import Forbidden, NotFound
from portal.kube.gateway import Kube, Object
from portal.kube.logs import HttpLogSource
from portal.kube.types import (
    CONFIGMAPS,
    EVENTS,
    JOBS,
    NAMESPACES,
    NODES,
    PODS,
    ROLEBINDINGS,
    SERVICEACCOUNTS,
    Job,
    Pod,
    Resource,
)
from tests.plugins.polling import until

pytestmark = pytest.mark.cluster
RBAC = "rbac.authorization.k8s.io"
POD_SPEC: Object = {"restartPolicy": "Never", "containers": [{"name": "m", "image": "x.example/x:1"}]}
JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "j"},
    "spec": {"template": {"spec": POD_SPEC}},
}
SECRETS = Resource("", "v1", "secrets", "Secret")


@dataclass
class Identities:
    """The three identities, a namespace that the writer made complete, and where the kubeconfigs lie."""

    writer: Kube
    watcher: Kube
    logs: Kube
    namespace: str
    directory: Path

    def as_tenant(self) -> Kube:
        """Return the writer acting as the tenant's own account."""
        return self.writer.impersonate(f"system:serviceaccount:{self.namespace}:berth-writer")


def role_binding(role: str, namespace: str) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "berth-writer"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "berth-writer", "namespace": namespace}],
    }


def lists_pods(kube: Kube, namespace: str) -> bool:
    """Say whether `kube` may list pods there by now: the API server reads bindings from a cache that lags behind."""
    try:
        kube.list(PODS, namespace=namespace)
    except Forbidden:
        return False
    return True


@pytest.fixture(scope="module")
def access(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[ClusterAccess, Path]:
    directory = tmp_path_factory.mktemp("cluster")
    made = ClusterAccess(admin_kubeconfig=control_plane.admin_kubeconfig, directory=directory)
    made.establish()
    return made, directory


@pytest.fixture
def identities(access: tuple[ClusterAccess, Path]) -> Iterator[Identities]:
    directory = access[1]
    writer, watcher, logs = (connect_file(directory / f"{name}.kubeconfig") for name in ("writer", "watcher", "logs"))
    made = Identities(writer, watcher, logs, f"berth-access-{uuid.uuid4().hex[:8]}", directory)
    writer.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "berth-writer"}}
    writer.apply(SERVICEACCOUNTS, account, namespace=made.namespace)
    writer.apply(ROLEBINDINGS, role_binding("berth-tenant-writer", made.namespace), namespace=made.namespace)
    until("the API server heeds the new binding", lambda: lists_pods(made.as_tenant(), made.namespace), timeout_s=10)
    yield made
    writer.delete(NAMESPACES, made.namespace)


def test_the_writer_makes_a_job_only_as_the_tenant(identities: Identities) -> None:
    with pytest.raises(Forbidden):
        identities.writer.create(JOBS, JOB, namespace=identities.namespace)
    tenant = identities.as_tenant()
    made = tenant.create(JOBS, JOB, namespace=identities.namespace)
    assert tenant.get(JOBS, "j", namespace=identities.namespace, as_type=Job).metadata.uid == made["metadata"]["uid"]
    assert tenant.delete(JOBS, "j", namespace=identities.namespace) is True


def test_a_tenant_account_reaches_no_other_namespace(identities: Identities) -> None:
    for namespace in ("default", "berth-system", None):
        with pytest.raises(Forbidden):
            identities.as_tenant().list(PODS, namespace=namespace)


def test_the_writer_becomes_nobody_but_a_berth_writer(identities: Identities) -> None:
    for user in (f"system:serviceaccount:{identities.namespace}:default", "admin", "system:kube-controller-manager"):
        with pytest.raises(Forbidden, match="impersonate"):
            identities.writer.impersonate(user).list(CONFIGMAPS, namespace=identities.namespace)


def test_the_writer_hands_out_no_other_role(identities: Identities) -> None:
    with pytest.raises(Forbidden, match="attempting to grant RBAC permissions"):
        identities.writer.apply(
            ROLEBINDINGS,
            {**role_binding("cluster-admin", identities.namespace), "metadata": {"name": "too-much"}},
            namespace=identities.namespace,
        )


def test_nobody_reads_secrets(identities: Identities) -> None:
    for kube in (identities.writer, identities.watcher, identities.logs, identities.as_tenant()):
        with pytest.raises(Forbidden):
            kube.list(SECRETS, namespace=identities.namespace)


def test_the_watcher_sees_everything_that_it_needs_and_changes_nothing(identities: Identities) -> None:
    identities.watcher.check_ready()
    for resource in (PODS, JOBS, EVENTS, NODES, NAMESPACES):
        listing = identities.watcher.list(resource)
        with identities.watcher.watch(resource, resource_version=listing.resource_version, timeout_s=1) as stream:
            assert all(event.type != "POISON" for event in stream)
    with pytest.raises(Forbidden):
        identities.watcher.delete(NAMESPACES, identities.namespace)
    with pytest.raises(Forbidden):
        identities.watcher.create(JOBS, JOB, namespace=identities.namespace)


def test_the_log_reader_gets_one_pod_and_lists_none(identities: Identities) -> None:
    spec = {**POD_SPEC, "serviceAccountName": "berth-writer"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    identities.as_tenant().create(PODS, body, namespace=identities.namespace)
    assert identities.logs.get(PODS, "p", namespace=identities.namespace, as_type=Pod).metadata.name == "p"
    with pytest.raises(Forbidden):
        identities.logs.list(PODS, namespace=identities.namespace)


async def test_the_log_of_a_pod_on_no_node_is_empty_and_that_of_no_pod_is_not_found(
    identities: Identities,
) -> None:
    spec = {**POD_SPEC, "serviceAccountName": "berth-writer", "schedulerName": "nobody"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    identities.as_tenant().create(PODS, body, namespace=identities.namespace)
    source = HttpLogSource(credentials_file(identities.directory / "logs.kubeconfig"))
    assert [line async for line in source.follow(namespace=identities.namespace, pod="p", container="m")] == []
    with pytest.raises(NotFound):
        await anext(source.follow(namespace=identities.namespace, pod="none", container="m"))
    await source.aclose()


def test_fresh_tokens_are_written_only_when_the_old_ones_age(access: tuple[ClusterAccess, Path]) -> None:
    keeper, directory = access
    before = {path.name: json.loads(path.read_text()) for path in directory.iterdir()}
    assert sorted(before) == ["logs.kubeconfig", "watcher.kubeconfig", "writer.kubeconfig"]
    assert keeper.refresh() is False
    keeper._renew_at = 0.0
    assert keeper.refresh() is True
    assert {path.name: json.loads(path.read_text()) for path in directory.iterdir()} != before
