"""A tenant's namespace is made, completed, kept, and never taken from somebody else."""

import pytest

from portal.core.installation import installation_id
from portal.kube.errors import ClusterUnavailable, Forbidden
from portal.kube.fake import Call, FakeKube
from portal.kube.types import NAMESPACES, NETWORKPOLICIES, RESOURCEQUOTAS, SERVICEACCOUNTS
from tenants import manifests, selectors
from tenants.models import Tenant
from tenants.reconcile import namespace_spec, reconcile_tenant
from tests.quota import set_limits

pytestmark = pytest.mark.django_db


@pytest.fixture
def new_tenant(db: None) -> Tenant:
    tenant = Tenant.objects.create(slug="vision", name="Vision")
    set_limits(tenant, cpu_millicores=8_000, memory_mib=16_384, pods=50)
    Tenant.objects.update(generation=1)
    return tenant


def count_quota(kube: FakeKube, tenant: Tenant) -> None:
    """Do what the cluster's quota controller does with a new quota."""
    hard = manifests.quota_hard(selectors.quotas_of(tenant))
    kube.set_status(RESOURCEQUOTAS, "berth", {"hard": hard, "used": {}}, namespace=tenant.namespace)


def reconciled(kube: FakeKube, tenant: Tenant) -> Tenant:
    reconcile_tenant(tenant.pk, kube, quota_wait_s=0)
    tenant.refresh_from_db()
    return tenant


def test_a_tenant_is_ready_only_once_the_cluster_counts_by_its_quota(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    reconciled(fake_kube, new_tenant)
    assert new_tenant.status == "creating"
    assert selectors.status_text(new_tenant).startswith("Waiting")
    count_quota(fake_kube, new_tenant)
    reconciled(fake_kube, new_tenant)
    assert (new_tenant.status, new_tenant.status_detail, new_tenant.applied_generation) == ("ready", "", 1)
    assert new_tenant.applied_at is not None


def test_every_object_of_the_namespace_is_there(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    reconciled(fake_kube, new_tenant)
    space = fake_kube.get(NAMESPACES, "berth-vision")
    assert space["metadata"]["labels"]["berth.dev/installation"] == str(installation_id())
    applied = {(call.resource.kind, call.name) for call in fake_kube.calls if call.op == "apply" and call.resource}
    wanted = manifests.content_manifests(namespace_spec(new_tenant))
    assert {(manifest["kind"], manifest["metadata"]["name"]) for manifest in wanted} < applied
    assert fake_kube.get(SERVICEACCOUNTS, "default", namespace="berth-vision")["automountServiceAccountToken"] is False


@pytest.mark.parametrize("labels", [{}, {"berth.dev/installation": "22222222-2222-4222-8222-222222222222"}])
def test_a_namespace_that_is_not_ours_is_refused_and_left_alone(
    fake_kube: FakeKube, new_tenant: Tenant, labels: dict[str, str]
) -> None:
    before = fake_kube.seed(NAMESPACES, {"metadata": {"name": "berth-vision", "labels": labels}})
    reconciled(fake_kube, new_tenant)
    assert new_tenant.status == "error"
    assert "not made by this installation" in selectors.status_text(new_tenant)
    assert fake_kube.get(NAMESPACES, "berth-vision") == before
    assert not [call for call in fake_kube.calls if call.op in ("apply", "create")]


def test_a_namespace_that_somebody_makes_at_the_same_moment_is_not_taken(
    fake_kube: FakeKube, new_tenant: Tenant
) -> None:
    def somebody_is_faster(call: Call) -> None:
        fake_kube.seed(NAMESPACES, {"metadata": {"name": "berth-vision"}})

    fake_kube.before("create", somebody_is_faster)
    reconciled(fake_kube, new_tenant)
    assert new_tenant.status == "error"
    assert "labels" not in fake_kube.get(NAMESPACES, "berth-vision")["metadata"]


def test_what_was_taken_away_by_hand_comes_back(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    reconciled(fake_kube, new_tenant)
    fake_kube.delete(NETWORKPOLICIES, "berth-deny-all", namespace="berth-vision")
    fake_kube.change(SERVICEACCOUNTS, "default", {"automountServiceAccountToken": True}, namespace="berth-vision")
    reconciled(fake_kube, new_tenant)
    assert fake_kube.get(NETWORKPOLICIES, "berth-deny-all", namespace="berth-vision")
    assert fake_kube.get(SERVICEACCOUNTS, "default", namespace="berth-vision")["automountServiceAccountToken"] is False


def test_new_limits_reach_the_quota_and_the_tenant_stays_ready_meanwhile(
    fake_kube: FakeKube, new_tenant: Tenant
) -> None:
    reconciled(fake_kube, new_tenant)
    count_quota(fake_kube, new_tenant)
    reconciled(fake_kube, new_tenant)
    set_limits(new_tenant, pods=7)
    reconciled(fake_kube, new_tenant)
    assert (new_tenant.status, new_tenant.applied_generation) == ("ready", 1)
    assert selectors.tenant_ids_not_applied() == [new_tenant.pk]
    count_quota(fake_kube, new_tenant)
    reconciled(fake_kube, new_tenant)
    assert new_tenant.applied_generation == 2
    assert fake_kube.get(RESOURCEQUOTAS, "berth", namespace="berth-vision")["spec"]["hard"]["pods"] == "7"


def test_applying_again_changes_nothing(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    reconciled(fake_kube, new_tenant)
    version = fake_kube.store.version
    reconciled(fake_kube, new_tenant)
    assert fake_kube.store.version == version


def test_a_cluster_that_is_away_changes_nothing_and_raises_nothing(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    fake_kube.fail_next("apply", ClusterUnavailable("no answer"))
    reconciled(fake_kube, new_tenant)
    assert (new_tenant.status, new_tenant.status_detail) == ("creating", "")


def test_a_refusal_is_shown_with_the_cluster_s_words(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    fake_kube.fail_next("apply", Forbidden("a policy says no"))
    reconciled(fake_kube, new_tenant)
    assert new_tenant.status == "error"
    assert selectors.status_text(new_tenant) == "The cluster refuses: a policy says no"


def test_an_outcome_is_not_written_over_a_newer_wish(fake_kube: FakeKube, new_tenant: Tenant) -> None:
    reconciled(fake_kube, new_tenant)
    count_quota(fake_kube, new_tenant)
    fake_kube.before("get", lambda call: Tenant.objects.filter(pk=new_tenant.pk).update(generation=2))
    reconciled(fake_kube, new_tenant)
    assert (new_tenant.status, new_tenant.applied_generation) == ("creating", 0)
