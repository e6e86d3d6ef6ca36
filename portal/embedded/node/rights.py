"""The rights that the node's own parts need in the cluster: as manifests, and given."""

from typing import Any

from portal.embedded.errors import StartError
from portal.embedded.node.api import Api

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_READ = ["get", "list", "watch"]


def manifests() -> list[tuple[str, dict[str, Any]]]:
    """Return (path of the API, object), in the order in which they are to be applied."""
    policies = [
        {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _READ},
    ]
    names = [
        {"apiGroups": [""], "resources": ["services"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    ]
    return [
        # Logs and exec: the API server asks the kubelet, which asks whether the API server may.
        _binding("berth:kubelet-api", role="system:kubelet-api-admin", user="kube-apiserver-kubelet-client"),
        _role("berth:netpol", policies),
        _binding("berth:netpol", role="berth:netpol", user="berth:netpol"),
        _role("berth:dns", names),
        _binding("berth:dns", role="berth:dns", user="berth:dns"),
    ]


def _role(name: str, rules: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return f"{_RBAC}/clusterroles/{name}", {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }


def _binding(name: str, *, role: str, user: str) -> tuple[str, dict[str, Any]]:
    return f"{_RBAC}/clusterrolebindings/{name}", {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    }


def give(api: Api) -> None:
    """Apply the rights. Raises StartError with what the API server said."""
    for path, manifest in manifests():
        reply = api.apply(path, manifest)
        if reply.status not in (200, 201):
            raise StartError(f"The API server did not take {path}: {reply.status} {reply.text}")
