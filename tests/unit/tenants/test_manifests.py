"""Whole manifests of a tenant's namespace, as they are sent."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tenants import manifests, specs
from tenants.specs import NamespaceSpec, Quota, Unit
from workloads.specs import EPHEMERAL_STORAGE_MIB

SPEC = NamespaceSpec(
    slug="vision",
    tenant_id=UUID("11111111-1111-4111-8111-111111111111"),
    installation_id=UUID("22222222-2222-4222-8222-222222222222"),
    quotas=(
        Quota("cpu_millicores", "requests.cpu", Unit.MILLICORES, 1_500),
        Quota("memory_mib", "requests.memory", Unit.MIB, 3_072),
        Quota("gpus", "requests.nvidia.com/gpu", Unit.COUNT, 2),
        Quota("gpu_a100", "", Unit.COUNT, 1),
        Quota("pods", "pods", Unit.COUNT, 20),
    ),
    dns_addresses=("10.77.0.1",),
)
LABELS = {
    "berth.dev/installation": "22222222-2222-4222-8222-222222222222",
    "berth.dev/tenant": "11111111-1111-4111-8111-111111111111",
    "app.kubernetes.io/managed-by": "berth",
}


def named(name: str) -> dict[str, object]:
    return {"name": name, "namespace": "berth-vision", "labels": LABELS}


def test_the_namespace_is_labelled_and_restricted_at_a_pinned_version() -> None:
    assert manifests.namespace_manifest(SPEC) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": "berth-vision",
            "labels": LABELS
            | {
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/enforce-version": "v1.36",
                "pod-security.kubernetes.io/audit": "restricted",
                "pod-security.kubernetes.io/audit-version": "v1.36",
                "pod-security.kubernetes.io/warn": "restricted",
                "pod-security.kubernetes.io/warn-version": "v1.36",
            },
        },
    }


def test_the_quota_repeats_the_limits_and_forbids_what_berth_does_not_make() -> None:
    assert manifests.quota_manifest(SPEC) == {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": named("berth"),
        "spec": {
            "hard": {
                "requests.cpu": "1500m",
                "requests.memory": "3072Mi",
                "limits.memory": "3072Mi",
                "requests.ephemeral-storage": "40960Mi",
                "limits.ephemeral-storage": "40960Mi",
                "requests.nvidia.com/gpu": "2",
                "pods": "20",
                "count/jobs.batch": "5020",
                "count/configmaps": "5020",
                "services.nodeports": "0",
                "services.loadbalancers": "0",
                "persistentvolumeclaims": "0",
                "count/services": "0",
                "count/secrets": "0",
                "count/cronjobs.batch": "0",
                "count/deployments.apps": "0",
                "count/statefulsets.apps": "0",
                "count/ingresses.networking.k8s.io": "0",
            }
        },
    }


def test_a_container_that_asks_for_nothing_is_still_counted() -> None:
    assert manifests.limit_range_manifest(SPEC) == {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": named("berth"),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "defaultRequest": {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"},
                    "default": {"memory": "64Mi", "ephemeral-storage": "64Mi"},
                }
            ]
        },
    }


def test_nothing_goes_in_and_only_name_look_ups_go_out() -> None:
    assert manifests.network_policy_manifests(SPEC) == [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": named("berth-deny-all"),
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": named("berth-allow-dns"),
            "spec": {
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                            },
                            {"ipBlock": {"cidr": "10.77.0.1/32"}},
                        ],
                        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
                    }
                ],
            },
        },
    ]


def test_no_account_mounts_its_token() -> None:
    for name in ("default", "berth-workload", "berth-writer"):
        assert manifests.account_manifest(SPEC, name) == {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": named(name),
            "automountServiceAccountToken": False,
        }


def test_the_writer_is_bound_to_the_fixed_role_in_its_own_namespace() -> None:
    assert manifests.writer_binding_manifest(SPEC) == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": named("berth-writer"),
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "berth-tenant-writer",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "berth-writer", "namespace": "berth-vision"}],
    }


def test_what_restrains_is_applied_before_what_grants() -> None:
    kinds = [manifest["kind"] for manifest in manifests.content_manifests(SPEC)]
    assert kinds == [
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
        "NetworkPolicy",
        "ServiceAccount",
        "ServiceAccount",
        "ServiceAccount",
        "RoleBinding",
    ]


def test_the_scratch_space_of_every_allowed_pod_fits_into_the_quota() -> None:
    assert manifests.EPHEMERAL_STORAGE_MIB_PER_POD >= EPHEMERAL_STORAGE_MIB


@given(st.uuids())
def test_user_ids_of_a_tenant_are_above_the_machine_s_and_below_the_kernel_s_end(tenant_id: UUID) -> None:
    first = specs.uid_range_start(tenant_id)
    assert first >= 10_000
    assert first + specs.UID_RANGE < 2**31
    assert first == specs.uid_range_start(tenant_id)
