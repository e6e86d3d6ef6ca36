"""What the in-memory cluster adds for tests; what it shares with a real one is in tests/contract."""

from datetime import UTC, datetime

import pytest

from portal.kube.errors import ClusterUnavailable, NotFound, TooManyRequests
from portal.kube.fake import Call, FakeKube
from portal.kube.types import CONFIGMAPS, JOBS, NAMESPACES, PODS, Pod


def config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube(namespaces=["berth-x"], now=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_a_planned_failure_happens_as_often_as_planned_and_before_the_work(kube: FakeKube) -> None:
    kube.fail_next("create", TooManyRequests("busy", retry_after_s=1), times=2)
    for _ in range(2):
        with pytest.raises(TooManyRequests):
            kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")
    assert kube.list(CONFIGMAPS).items == []
    kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")


def test_a_lost_answer_leaves_the_work_done(kube: FakeKube) -> None:
    kube.fail_next("create", ClusterUnavailable("reset"), after=True)
    with pytest.raises(ClusterUnavailable):
        kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")
    assert len(kube.list(CONFIGMAPS).items) == 1


def test_a_callback_runs_once_before_the_call_and_may_use_the_cluster(kube: FakeKube) -> None:
    kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")
    kube.before("get", lambda call: kube.delete(CONFIGMAPS, call.name, namespace="berth-x"))
    with pytest.raises(NotFound):
        kube.get(CONFIGMAPS, "a", namespace="berth-x")


def test_calls_are_kept_with_the_user_that_made_them(kube: FakeKube) -> None:
    kube.impersonate("somebody").create(CONFIGMAPS, config_map("a"), namespace="berth-x")
    assert kube.calls == [Call("create", CONFIGMAPS, "berth-x", "a", "somebody")]
    kube.check_ready()
    assert kube.calls[-1] == Call("check_ready")


def test_a_cluster_that_is_away_answers_nothing(kube: FakeKube) -> None:
    kube.set_available(False)
    with pytest.raises(ClusterUnavailable):
        kube.check_ready()
    kube.set_available(True)
    kube.check_ready()


def test_a_namespace_goes_with_all_that_is_in_it(kube: FakeKube) -> None:
    kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")
    kube.delete(NAMESPACES, "berth-x")
    assert kube.list(CONFIGMAPS).items == []


def test_an_orphaned_pod_stays(kube: FakeKube) -> None:
    job = kube.seed(JOBS, {"metadata": {"name": "j", "namespace": "berth-x"}})
    owner = {"kind": "Job", "name": "j", "uid": job["metadata"]["uid"]}
    kube.seed(PODS, {"metadata": {"name": "p", "namespace": "berth-x", "ownerReferences": [owner]}})
    kube.delete(JOBS, "j", namespace="berth-x", propagation="Orphan")
    assert len(kube.list(PODS).items) == 1


def test_a_pod_with_a_finalizer_waits_for_its_end(kube: FakeKube) -> None:
    kube.seed(PODS, {"metadata": {"name": "p", "namespace": "berth-x", "finalizers": ["batch/x"]}})
    kube.delete(PODS, "p", namespace="berth-x", grace_s=0)
    pod = kube.get(PODS, "p", namespace="berth-x", as_type=Pod)
    assert pod.metadata.deletion_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    kube.finish_deletion(PODS, "p", namespace="berth-x")
    assert kube.list(PODS).items == []


def test_what_a_caller_does_to_an_answer_does_not_reach_the_cluster(kube: FakeKube) -> None:
    kube.create(CONFIGMAPS, config_map("a"), namespace="berth-x")["metadata"]["name"] = "changed"
    kube.get(CONFIGMAPS, "a", namespace="berth-x")["metadata"]["name"] = "changed"
    assert kube.get(CONFIGMAPS, "a", namespace="berth-x")["metadata"]["name"] == "a"
