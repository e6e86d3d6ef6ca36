"""What an installation makes in a cluster beside its tenants' namespaces, and how it is found again to be removed.

Several installations may share one cluster and these objects: each puts a label of its own on them. One is removed with
the last of the installations that made it; one that somebody else made, by hand or for another purpose, never is.
"""

import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from ruamel.yaml import YAML

from portal.kube.errors import Conflict, NotFound
from portal.kube.gateway import FIELD_MANAGER, Kube, Object
from portal.kube.types import KNOWN_RESOURCES, NAMESPACES, Resource

RBAC_FILE = Path(__file__).parents[2] / "deploy" / "rbac.yaml"
INSTALLATION_LABEL = "berth.dev/installation"  # of everything that belongs to one tenant
USED_BY_PREFIX = "installation.berth.dev/"  # of what installations may share: one label each
_MANAGED_BY = "app.kubernetes.io/managed-by"
_POLL_S = 0.5


def apply_roles(kube: Kube, *, installation: UUID | None) -> None:
    """Apply deploy/rbac.yaml, with this installation's label on what installations made. Raises KubeError.

    An object of the same name that is not Berth's is left as it is, and Conflict raised.
    """
    for document in load_documents(RBAC_FILE):
        resource, metadata = resource_of(document), document["metadata"]
        found = _found(kube, resource, metadata["name"], metadata.get("namespace"))
        if found is not None and not _is_berths(found):
            raise Conflict(f"{resource.kind} {metadata['name']} exists in the cluster and is not Berth's")
        labels = {**metadata.get("labels", {}), _MANAGED_BY: "berth", **_users_of(found)}
        if installation is not None and (found is None or _was_made_by_us(found)):
            labels[f"{USED_BY_PREFIX}{installation}"] = ""
        kube.apply(
            resource, {**document, "metadata": {**metadata, "labels": labels}}, namespace=metadata.get("namespace")
        )


def purge(kube: Kube, *, installation: UUID, timeout_s: float, say: Callable[[str], None]) -> bool:
    """Remove all that one installation made, and wait until it is gone; tell whether it is. Raises KubeError.

    The tenants' namespaces carry the installation's label. What other installations use too only loses ours.
    """
    names = [item["metadata"]["name"] for item in _namespaces_of(kube, installation)]
    for name in names:
        kube.delete(NAMESPACES, name)
        say(f"Namespace {name}: asked to go")
    wanted = [(NAMESPACES, name, None) for name in names]
    for document in reversed(load_documents(RBAC_FILE)):
        resource, metadata = resource_of(document), document["metadata"]
        key = (resource, metadata["name"], metadata.get("namespace"))
        if _release(kube, *key, document=document, installation=installation):
            say(f"{resource.kind} {metadata['name']}: asked to go")
            wanted.append(key)
    deadline = time.monotonic() + timeout_s
    while left := [name for resource, name, namespace in wanted if _found(kube, resource, name, namespace)]:
        if time.monotonic() > deadline:
            say(f"Still there after {timeout_s:.0f} s: {', '.join(left)}")
            return False
        time.sleep(_POLL_S)
    return True


def load_documents(path: Path) -> list[Object]:
    """Return the manifests in a YAML file."""
    with path.open(encoding="utf-8") as file:
        return [document for document in YAML(typ="safe").load_all(file) if document]


def resource_of(body: Object) -> Resource:
    """Return the resource that a manifest is of. Raises KeyError for a kind that Berth does not know."""
    by_kind = {(resource.api_version, resource.kind): resource for resource in KNOWN_RESOURCES}
    return by_kind[body["apiVersion"], body["kind"]]


def _release(
    kube: Kube, resource: Resource, name: str, namespace: str | None, *, document: Object, installation: UUID
) -> bool:
    """Take our label from an object; tell whether nobody else's was left and it was deleted."""
    found = _found(kube, resource, name, namespace)
    own = f"{USED_BY_PREFIX}{installation}"
    if found is None or own not in _users_of(found):
        return False
    others = {key: value for key, value in _users_of(found).items() if key != own}
    if not others:
        return kube.delete(resource, name, namespace=namespace, uid=found["metadata"]["uid"])
    labels = {**document["metadata"].get("labels", {}), _MANAGED_BY: "berth", **others}
    kube.apply(resource, {**document, "metadata": {**document["metadata"], "labels": labels}}, namespace=namespace)
    return False


def _namespaces_of(kube: Kube, installation: UUID) -> list[Object]:
    return list(kube.list(NAMESPACES, label_selector=f"{INSTALLATION_LABEL}={installation}").items)


def _found(kube: Kube, resource: Resource, name: str, namespace: str | None) -> Object | None:
    try:
        return dict(kube.get(resource, name, namespace=namespace))
    except NotFound:
        return None


def _users_of(found: Object | None) -> dict[str, str]:
    labels = (found or {}).get("metadata", {}).get("labels") or {}
    return {key: value for key, value in labels.items() if key.startswith(USED_BY_PREFIX)}


def _is_berths(found: Object) -> bool:
    labels = found["metadata"].get("labels") or {}
    return labels.get(_MANAGED_BY) == "berth" or _was_made_by_us(found)


def _was_made_by_us(found: Object) -> bool:
    """Tell whether an installation made it: by a label, or, from before there were labels, by its field manager."""
    managers = {entry.get("manager") for entry in found["metadata"].get("managedFields") or []}
    return bool(_users_of(found)) or managers == {FIELD_MANAGER}
