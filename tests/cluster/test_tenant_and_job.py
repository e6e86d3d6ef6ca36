"""A tenant's namespace and a job's objects on a real API server, made by the code that makes them in production."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.core.models import User
from portal.kube.bootstrap import ClusterAccess
from portal.kube.client import connect_file
from portal.kube.errors import Forbidden
from portal.kube.gateway import Kube
from portal.kube.types import JOBS, NAMESPACES, PODS, RESOURCEQUOTAS, SERVICEACCOUNTS
from tenants.manifests import writer_user
from tenants.models import Tenant
from tenants.reconcile import reconcile_tenant
from tests.plugins.leading import Term, leading
from tests.plugins.polling import until
from tests.quota import set_limits
from workloads.management.commands.run_controller import lead
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile
from workloads.services import workload_cancel

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def kubeconfigs(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cluster")
    ClusterAccess(admin_kubeconfig=control_plane.admin_kubeconfig, directory=directory).establish()
    return directory


@pytest.fixture
def writer(kubeconfigs: Path) -> Kube:
    return connect_file(kubeconfigs / "writer.kubeconfig")


@pytest.fixture
def real_tenant(writer: Kube, make_tenant: Callable[..., Tenant]) -> Iterator[Tenant]:
    """A tenant whose namespace was made on the real API server."""
    tenant = make_tenant(f"t{time.monotonic_ns() % 10**9}", status="creating", applied_generation=0, limits={"pods": 2})
    reconcile_tenant(tenant.pk, writer, quota_wait_s=20)
    tenant.refresh_from_db()
    yield tenant
    writer.delete(NAMESPACES, tenant.namespace)


@pytest.fixture
def term(kubeconfigs: Path) -> Iterator[Term]:
    """A controller that leads."""
    watcher = connect_file(kubeconfigs / "watcher.kubeconfig")
    with leading("controller", lambda held, stop: lead(held, stop, watcher)) as begun:
        yield begun


def test_a_tenant_s_namespace_is_complete_and_can_be_put_right_again(real_tenant: Tenant, writer: Kube) -> None:
    assert (real_tenant.status, real_tenant.status_detail) == ("ready", "")
    quota = writer.get(RESOURCEQUOTAS, "berth", namespace=real_tenant.namespace)
    reconcile_tenant(real_tenant.pk, writer, quota_wait_s=20)
    assert writer.get(RESOURCEQUOTAS, "berth", namespace=real_tenant.namespace)["spec"] == quota["spec"]
    account = writer.get(SERVICEACCOUNTS, "default", namespace=real_tenant.namespace)
    assert account["automountServiceAccountToken"] is False


def test_the_namespace_refuses_a_pod_that_is_not_restricted(real_tenant: Tenant, writer: Kube) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "m", "image": "x.example/x:1"}]},
    }
    with pytest.raises(Forbidden, match="PodSecurity"):
        writer.impersonate(writer_user(real_tenant.namespace)).create(PODS, body, namespace=real_tenant.namespace)


def test_a_job_gets_its_pod_and_a_cancel_takes_all_away(
    real_tenant: Tenant,
    writer: Kube,
    term: Term,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    workload = make_workload(real_tenant, owner, spec={"script": "print(1)"})
    attempt = admit(workload)
    reconcile(workload.pk, writer)
    until("the pod has a row", attempt.pod_rows.exists, timeout_s=30)
    # No node: the pod must have been let in by quota, LimitRange and PodSecurity, and wait for the scheduler.
    until(
        "it waits for a node",
        lambda: Workload.objects.get(pk=workload.pk).reason_code == "unschedulable",
        timeout_s=30,
    )
    tenant_writer = writer.impersonate(writer_user(real_tenant.namespace))
    actor = User.objects.create(username="boss", platform_role="admin")
    workload_cancel(actor=actor, workload=workload)

    def cancelled() -> bool:
        reconcile(workload.pk, writer)
        return Workload.objects.get(pk=workload.pk).state == "cancelled"

    until("it is cancelled", cancelled, timeout_s=30)
    assert tenant_writer.list(JOBS, namespace=real_tenant.namespace).items == []
    assert tenant_writer.list(PODS, namespace=real_tenant.namespace).items == []
    attempt.refresh_from_db()
    assert attempt.released_at is not None


def test_a_pod_over_the_quota_is_told_in_numbers(
    real_tenant: Tenant,
    writer: Kube,
    term: Term,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    set_limits(real_tenant, pods=3)  # the ledger is ahead of the cluster, which still counts by 2
    for _ in range(3):
        workload = make_workload(real_tenant, owner)
        admit(workload)
        reconcile(workload.pk, writer)
    until("one is refused", lambda: Workload.objects.filter(reason_code="refused_retrying").count() == 1, timeout_s=60)
    params = Workload.objects.get(reason_code="refused_retrying").reason_params
    assert (params["resource"], params["asked"], params["held"], params["limit"]) == ("pods", 1, 2, 2)
