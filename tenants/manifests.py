"""What a tenant's namespace holds, as plain dicts. Pure: no cluster, no database, no framework.

The pods limit counts what has not ended: a quota on `pods`, requests and limits leaves out pods that have succeeded or
failed, so the finished pod of an attempt never stands in the way of the next one. Only the counts of Jobs and
ConfigMaps include what is kept after its end, hence their room.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from tenants.kubenames import SCRATCH
from tenants.specs import MEMORY, PODS, NamespaceSpec, Quota, Unit, quantity

Manifest = dict[str, Any]

POD_SECURITY_VERSION = "v1.36"
WORKLOAD_ACCOUNT = "berth-workload"
WRITER_ACCOUNT = "berth-writer"
WRITER_ROLE = "berth-tenant-writer"
QUOTA_NAME = "berth"

# Each pod may ask for this much scratch space (see workloads.specs.EPHEMERAL_STORAGE_MIB).
EPHEMERAL_STORAGE_MIB_PER_POD = 2_048
# Finished Jobs and their scripts stay until their log is sealed.
KEPT_OBJECTS = 5_000

_LABEL_INSTALLATION = "berth.dev/installation"
_LABEL_TENANT = "berth.dev/tenant"
_NOTHING_OF = (
    "services.nodeports",
    "services.loadbalancers",
    "persistentvolumeclaims",
    "count/services",
    "count/secrets",
    "count/cronjobs.batch",
    "count/deployments.apps",
    "count/statefulsets.apps",
    "count/ingresses.networking.k8s.io",
)


def owner_labels(spec: NamespaceSpec) -> dict[str, str]:
    """Return the labels that say whose an object is; a namespace without exactly these is not ours."""
    return labels_of_owner(spec.installation_id, spec.tenant_id)


def labels_of_owner(installation_id: UUID, tenant_id: UUID) -> dict[str, str]:
    """Return the labels of everything that an installation makes for a tenant."""
    return {
        _LABEL_INSTALLATION: str(installation_id),
        _LABEL_TENANT: str(tenant_id),
        "app.kubernetes.io/managed-by": "berth",
    }


def namespace_manifest(spec: NamespaceSpec) -> Manifest:
    """Return the namespace with the pinned PodSecurity level `restricted`."""
    security: dict[str, str] = {}
    for mode in ("enforce", "audit", "warn"):
        security[f"pod-security.kubernetes.io/{mode}"] = "restricted"
        security[f"pod-security.kubernetes.io/{mode}-version"] = POD_SECURITY_VERSION
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": spec.namespace, "labels": owner_labels(spec) | security},
    }


def content_manifests(spec: NamespaceSpec) -> list[Manifest]:
    """Return what is applied inside, in this order: what restrains comes before what grants."""
    return [
        quota_manifest(spec),
        limit_range_manifest(spec),
        *network_policy_manifests(spec),
        *(account_manifest(spec, name) for name in ("default", WORKLOAD_ACCOUNT, WRITER_ACCOUNT)),
        writer_binding_manifest(spec),
    ]


def quota_hard(quotas: Collection[Quota]) -> dict[str, str]:
    """Return the quota's limits as Kubernetes quantities; what a ResourceQuota has no name for is not in it.

    No `limits.cpu`: pods may use idle cores beyond their request, so they name no limit, and a quota on it would
    refuse them. What is counted, and guaranteed, is the request.
    """
    counted = {quota.key: quota for quota in quotas if quota.quota_key}
    pods = counted[PODS].most if PODS in counted else 0
    memory = counted[MEMORY].most if MEMORY in counted else 0
    extra = sum(quota.most for quota in quotas if quota.kube_name == SCRATCH)
    storage = quantity(Unit.MIB, pods * EPHEMERAL_STORAGE_MIB_PER_POD + extra)
    kept = str(KEPT_OBJECTS + pods)
    return {
        **{quota.quota_key: quantity(quota.unit, quota.most) for quota in counted.values()},
        "limits.memory": quantity(Unit.MIB, memory),
        "requests.ephemeral-storage": storage,
        "limits.ephemeral-storage": storage,
        "count/jobs.batch": kept,
        "count/configmaps": kept,
        **dict.fromkeys(_NOTHING_OF, "0"),
    }


def quota_manifest(spec: NamespaceSpec) -> Manifest:
    """Return the second line of quota; the first is the portal's admission."""
    return _manifest(spec, "v1", "ResourceQuota", QUOTA_NAME) | {"spec": {"hard": quota_hard(spec.quotas)}}


def limit_range_manifest(spec: NamespaceSpec) -> Manifest:
    """Return what a container gets that asks for nothing, so that it is counted too.

    No default CPU limit: it would refuse a container that requests more than that and names no limit.
    """
    defaults = {"memory": "64Mi", "ephemeral-storage": "64Mi"}
    limit = {
        "type": "Container",
        "defaultRequest": {"cpu": "50m", **defaults},
        "default": defaults,
    }
    return _manifest(spec, "v1", "LimitRange", "berth") | {"spec": {"limits": [limit]}}


def network_policy_manifests(spec: NamespaceSpec) -> list[Manifest]:
    """Return: nothing in, nothing out; then name look-ups out.

    Pods of one workload may talk only by a policy that is made with that workload: no selector can say "same label".
    """
    deny = _manifest(spec, "networking.k8s.io/v1", "NetworkPolicy", "berth-deny-all")
    names = _manifest(spec, "networking.k8s.io/v1", "NetworkPolicy", "berth-allow-dns")
    servers: list[Manifest] = [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]
    servers += [{"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}} for address in spec.dns_addresses]
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return [
        deny | {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}},
        names | {"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": servers, "ports": ports}]}},
    ]


def account_manifest(spec: NamespaceSpec, name: str) -> Manifest:
    """Return a ServiceAccount whose token no pod gets unasked."""
    return _manifest(spec, "v1", "ServiceAccount", name) | {"automountServiceAccountToken": False}


def writer_binding_manifest(spec: NamespaceSpec) -> Manifest:
    """Return what lets the tenant's writer, whom the worker impersonates, make objects here and nowhere else."""
    return _manifest(spec, "rbac.authorization.k8s.io/v1", "RoleBinding", WRITER_ACCOUNT) | {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": WRITER_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": WRITER_ACCOUNT, "namespace": spec.namespace}],
    }


def writer_user(namespace: str) -> str:
    """Return the user name of the tenant's writer, for impersonation."""
    return f"system:serviceaccount:{namespace}:{WRITER_ACCOUNT}"


def _manifest(spec: NamespaceSpec, api_version: str, kind: str, name: str) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": spec.namespace, "labels": owner_labels(spec)},
    }
