"""What an installation makes in a cluster and what its purge removes: its own, never another's."""

from uuid import UUID

import pytest

from portal.kube.errors import Conflict
from portal.kube.fake import FakeKube
from portal.kube.ownership import RBAC_FILE, apply_roles, load_documents, purge, resource_of
from portal.kube.types import CLUSTERROLES, NAMESPACES

ONE, TWO = UUID(int=1), UUID(int=2)


def names(kube: FakeKube) -> set[str]:
    """Return the names of what is in the cluster of the kinds that Berth makes at the start."""
    kinds = {resource_of(document) for document in load_documents(RBAC_FILE)}
    return {item["metadata"]["name"] for kind in kinds for item in kube.list(kind).items} - {"default", "kube-system"}


def tenant(kube: FakeKube, name: str, installation: UUID) -> None:
    labels = {"berth.dev/installation": str(installation)}
    kube.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def purged(kube: FakeKube, installation: UUID) -> bool:
    return purge(kube, installation=installation, timeout_s=1.0, say=lambda _line: None)


def test_a_purge_removes_all_that_one_installation_made() -> None:
    kube = FakeKube(namespaces=["somebodys-own"])
    apply_roles(kube, installation=ONE)
    apply_roles(kube, installation=ONE)
    tenant(kube, "berth-vision", ONE)
    assert purged(kube, ONE)
    assert names(kube) == {"somebodys-own"}


def test_what_another_installation_uses_stays_until_that_one_goes_too() -> None:
    kube = FakeKube()
    apply_roles(kube, installation=ONE)
    apply_roles(kube, installation=TWO)
    everything = names(kube)
    tenant(kube, "berth-vision", ONE)
    tenant(kube, "berth-other", TWO)
    assert purged(kube, ONE)
    assert names(kube) == everything | {"berth-other"}
    assert purged(kube, TWO)
    assert names(kube) == set()


def test_what_somebody_applied_by_hand_is_used_and_stays() -> None:
    kube = FakeKube()
    made = [found for found in load_documents(RBAC_FILE) if found["kind"] == "ClusterRole"]
    role = next(found for found in made if found["metadata"]["name"] == "berth-logs")
    labels = {"app.kubernetes.io/managed-by": "berth"}
    kube.create(CLUSTERROLES, {**role, "metadata": {"name": "berth-logs", "labels": labels}})
    apply_roles(kube, installation=ONE)
    purged(kube, ONE)
    assert [item["metadata"]["name"] for item in kube.list(CLUSTERROLES).items] == ["berth-logs"]


def test_an_object_of_somebody_else_is_left_alone_and_named() -> None:
    kube = FakeKube()
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": []}
    kube.create(CLUSTERROLES, {**body, "metadata": {"name": "berth-watcher"}})
    with pytest.raises(Conflict, match="ClusterRole berth-watcher exists in the cluster and is not Berth's"):
        apply_roles(kube, installation=ONE)
    assert kube.get(CLUSTERROLES, "berth-watcher")["rules"] == []
