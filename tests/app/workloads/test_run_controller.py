"""The controller as it runs: reflectors, loop and status check together, over an in-memory cluster."""

from collections.abc import Iterator

import pytest

from gpu.models import Node
from portal.core.installation import installation_id
from portal.core.models import ClusterStatus
from portal.kube.fake import FakeKube
from portal.kube.types import JOBS, NODES, PODS
from tests.plugins.leading import Term, leading
from tests.plugins.polling import until
from workloads.management.commands.run_controller import lead
from workloads.models import Attempt, Workload
from workloads.reconcile import reconcile

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def term(cluster: FakeKube) -> Iterator[Term]:
    """A controller that leads."""
    with leading("controller", lambda held, stop: lead(held, stop, cluster)) as begun:
        yield begun


def state_of(attempt: Attempt) -> str:
    return Workload.objects.get(pk=attempt.workload_id).state


def test_what_happens_in_the_cluster_reaches_the_rows_through_an_outage(
    cluster: FakeKube, attempt: Attempt, term: Term
) -> None:
    cluster.seed(NODES, {"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "2"}}})
    until("the node has a row", Node.objects.filter(name="n1", cpu_millicores=2000).exists, timeout_s=20)
    until("the cluster counts as reached", ClusterStatus.objects.exclude(reachable_at=None).exists, timeout_s=20)
    reconcile(attempt.workload_id, cluster)
    job = cluster.get(JOBS, attempt.object_name, namespace="berth-vision")
    meta = {"name": "p", "namespace": "berth-vision", "labels": job["metadata"]["labels"]}
    running = {"name": "main", "state": {"running": {"startedAt": "2026-11-24T10:00:00Z"}}}
    status = {"phase": "Running", "containerStatuses": [running]}
    cluster.seed(PODS, {"metadata": meta, "spec": {"nodeName": "n1"}, "status": status})
    until("it runs", lambda: state_of(attempt) == "running", timeout_s=20)
    cluster.set_available(False)
    cluster.set_status(PODS, "p", {"phase": "Succeeded"}, namespace="berth-vision")
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    cluster.set_status(JOBS, attempt.object_name, done, namespace="berth-vision")
    assert state_of(attempt) == "running"
    cluster.set_available(True)
    until("it succeeded", lambda: state_of(attempt) == "succeeded", timeout_s=20)
    assert term.thread.is_alive()


def test_objects_of_another_installation_are_not_seen(cluster: FakeKube, attempt: Attempt, term: Term) -> None:
    reconcile(attempt.workload_id, cluster)
    job = cluster.get(JOBS, attempt.object_name, namespace="berth-vision")
    labels = job["metadata"]["labels"]
    assert labels["berth.dev/installation"] == str(installation_id())
    foreign = {"name": "p", "namespace": "berth-vision", "labels": labels | {"berth.dev/installation": "another"}}
    running = {"name": "main", "state": {"running": {"startedAt": "2026-11-24T10:00:00Z"}}}
    cluster.seed(PODS, {"metadata": foreign, "status": {"phase": "Running", "containerStatuses": [running]}})
    own = {"name": "q", "namespace": "berth-vision", "labels": labels}
    cluster.seed(PODS, {"metadata": own, "status": {"phase": "Pending"}})
    until("our pod has a row", lambda: attempt.pod_rows.filter(name="q").exists(), timeout_s=20)
    assert not attempt.pod_rows.filter(name="p").exists()
    assert state_of(attempt) == "starting"
