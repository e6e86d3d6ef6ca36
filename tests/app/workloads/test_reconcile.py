"""The cluster follows the row: one object an attempt, whatever is lost, and none once somebody cancelled."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from portal.core.models import User
from portal.kube.errors import ClusterUnavailable, Forbidden, Invalid, KubeError, ServerError, TooManyRequests
from portal.kube.fake import Call, FakeKube
from portal.kube.types import CONFIGMAPS, JOBS, PODS
from tenants.models import Tenant
from workloads import claims
from workloads.models import Attempt, Workload, WorkloadEvent
from workloads.reconcile import reconcile
from workloads.services import workload_cancel

pytestmark = pytest.mark.django_db

QUOTA_FULL = (
    'pods "w" is forbidden: exceeded quota: berth, requested: requests.cpu=500m, '
    "used: requests.cpu=1800m, limited: requests.cpu=2"
)


def fresh(attempt: Attempt) -> tuple[Attempt, Workload]:
    attempt.refresh_from_db()
    return attempt, Workload.objects.get(pk=attempt.workload_id)


def objects(cluster: FakeKube, namespace: str = "berth-vision") -> list[str]:
    return [
        f"{resource.kind}/{body['metadata']['name']}"
        for resource in (CONFIGMAPS, JOBS, PODS)
        for body in cluster.list(resource, namespace=namespace).items
    ]


def creates(cluster: FakeKube) -> list[Call]:
    return [call for call in cluster.calls if call.op == "create"]


def test_the_script_and_the_job_are_made_as_the_tenant_s_own_account(cluster: FakeKube, attempt: Attempt) -> None:
    reconcile(attempt.workload_id, cluster)
    name = attempt.object_name
    assert objects(cluster) == [f"ConfigMap/{name}", f"Job/{name}"]
    assert {call.user for call in creates(cluster)} == {"system:serviceaccount:berth-vision:berth-writer"}
    job = cluster.get(JOBS, name, namespace="berth-vision")
    assert job["metadata"]["annotations"]["berth.dev/uid"] == str(attempt.pk)
    attempt, workload = fresh(attempt)
    assert attempt.object_uid == job["metadata"]["uid"]
    assert (workload.claimed_until, workload.state) == (None, "starting")


def test_reconciling_again_makes_nothing_more(cluster: FakeKube, attempt: Attempt) -> None:
    reconcile(attempt.workload_id, cluster)
    version = cluster.store.version
    reconcile(attempt.workload_id, cluster)
    assert cluster.store.version == version


def test_an_answer_that_was_lost_leaves_one_object(cluster: FakeKube, attempt: Attempt) -> None:
    cluster.fail_next("create", ClusterUnavailable("cut off"), after=True)
    reconcile(attempt.workload_id, cluster)
    assert fresh(attempt)[1].reason_code == "refused_retrying"
    reconcile(attempt.workload_id, cluster)
    assert len(objects(cluster)) == 2
    attempt, workload = fresh(attempt)
    assert attempt.object_uid
    assert workload.reason_code == "creating"


def test_a_name_that_somebody_else_took_ends_the_workload_and_is_left_alone(
    cluster: FakeKube, attempt: Attempt
) -> None:
    cluster.seed(JOBS, {"metadata": {"name": attempt.object_name, "namespace": "berth-vision"}})
    reconcile(attempt.workload_id, cluster)
    attempt, workload = fresh(attempt)
    assert (workload.state, workload.reason_code) == ("failed", "foreign_object")
    assert workload.reason_params == {"object": f"Job/{attempt.object_name}"}
    assert attempt.released_at is not None
    assert f"Job/{attempt.object_name}" in objects(cluster)
    reconcile(attempt.workload_id, cluster)
    assert objects(cluster) == [f"Job/{attempt.object_name}"]


@pytest.mark.parametrize("error", [Forbidden("a policy denied the request"), Invalid("spec.template: bad")])
def test_a_refusal_that_will_not_change_ends_the_attempt_with_the_cluster_s_words(
    cluster: FakeKube, attempt: Attempt, error: KubeError
) -> None:
    cluster.fail_next("create", error)
    reconcile(attempt.workload_id, cluster)
    attempt, workload = fresh(attempt)
    assert (workload.state, workload.reason_code) == ("failed", "refused")
    assert workload.reason_params["message"] == error.message
    assert (attempt.end_state, attempt.released_at is not None) == ("failed", True)


@pytest.mark.parametrize(
    "error",
    [TooManyRequests("slow down"), ServerError("oops"), ClusterUnavailable("no answer"), Forbidden(QUOTA_FULL)],
)
def test_a_refusal_that_may_pass_is_shown_and_tried_again(
    cluster: FakeKube, attempt: Attempt, error: KubeError
) -> None:
    cluster.fail_next("create", error)
    reconcile(attempt.workload_id, cluster)
    attempt, workload = fresh(attempt)
    assert (workload.state, workload.reason_code, attempt.released_at) == ("starting", "refused_retrying", None)
    reconcile(attempt.workload_id, cluster)
    assert len(objects(cluster)) == 2


def test_a_full_quota_is_told_in_numbers(cluster: FakeKube, attempt: Attempt) -> None:
    cluster.fail_next("create", Forbidden(QUOTA_FULL))
    reconcile(attempt.workload_id, cluster)
    params = fresh(attempt)[1].reason_params
    assert {key: params[key] for key in ("resource", "asked", "held", "limit")} == {
        "resource": "cpu_millicores",
        "asked": 500,
        "held": 1800,
        "limit": 2000,
    }


def test_a_right_that_is_not_there_yet_is_waited_for(cluster: FakeKube, attempt: Attempt) -> None:
    message = 'configmaps is forbidden: User "x" cannot create resource "configmaps" in API group ""'
    cluster.fail_next("create", Forbidden(message))
    reconcile(attempt.workload_id, cluster)
    assert fresh(attempt)[1].reason_code == "refused_retrying"


def test_a_cancelled_workload_leaves_nothing_and_holds_nothing(
    cluster: FakeKube, attempt: Attempt, owner: User
) -> None:
    reconcile(attempt.workload_id, cluster)
    workload_cancel(actor=owner, workload=attempt.workload)
    reconcile(attempt.workload_id, cluster)
    attempt, workload = fresh(attempt)
    assert objects(cluster) == []
    assert (workload.state, workload.reason_code, workload.reason_params) == (
        "cancelled",
        "cancelled_by",
        {"user": "owner"},
    )
    assert (attempt.end_state, attempt.released_at is None, attempt.cleaned_at is None) == ("cancelled", False, False)


def pod_of(attempt: Attempt, cluster: FakeKube, **spec: Any) -> dict[str, Any]:
    job = cluster.get(JOBS, attempt.object_name, namespace="berth-vision")
    meta = {
        "name": f"{attempt.object_name}-0-abcde",
        "namespace": "berth-vision",
        "labels": job["metadata"]["labels"],
        "annotations": {"berth.dev/uid": str(attempt.pk)},
        "ownerReferences": [{"kind": "Job", "name": attempt.object_name, "uid": job["metadata"]["uid"]}],
    }
    return cluster.seed(PODS, {"metadata": meta, "spec": spec})


def test_a_cancelled_workload_holds_its_share_until_its_pods_are_gone(
    cluster: FakeKube, attempt: Attempt, owner: User
) -> None:
    reconcile(attempt.workload_id, cluster)
    pod = pod_of(attempt, cluster, nodeName="n1")
    workload_cancel(actor=owner, workload=attempt.workload)
    reconcile(attempt.workload_id, cluster)
    assert fresh(attempt)[1].state == "stopping"
    assert fresh(attempt)[0].released_at is None
    assert cluster.get(PODS, pod["metadata"]["name"], namespace="berth-vision")["metadata"]["deletionTimestamp"]
    cluster.finish_deletion(PODS, pod["metadata"]["name"], namespace="berth-vision")
    reconcile(attempt.workload_id, cluster)
    assert fresh(attempt)[1].state == "cancelled"


def test_a_pod_whose_job_is_gone_is_ended_too(cluster: FakeKube, attempt: Attempt, owner: User) -> None:
    reconcile(attempt.workload_id, cluster)
    pod_of(attempt, cluster)
    cluster.delete(JOBS, attempt.object_name, namespace="berth-vision", propagation="Orphan")
    workload_cancel(actor=owner, workload=attempt.workload)
    reconcile(attempt.workload_id, cluster)
    reconcile(attempt.workload_id, cluster)
    assert objects(cluster) == []
    assert fresh(attempt)[1].state == "cancelled"


def test_a_cancel_in_the_middle_of_a_create_wins(cluster: FakeKube, attempt: Attempt, owner: User) -> None:
    def cancel(call: Call) -> None:
        workload_cancel(actor=owner, workload=attempt.workload)

    cluster.before("create", lambda call: None)  # the ConfigMap
    cluster.before("create", cancel)
    reconcile(attempt.workload_id, cluster)
    assert objects(cluster) == []
    assert fresh(attempt)[1].state == "cancelled"


def test_a_cancel_before_the_create_prevents_it(cluster: FakeKube, attempt: Attempt, owner: User) -> None:
    def cancel(call: Call) -> None:
        workload_cancel(actor=owner, workload=attempt.workload)

    cluster.before("create", cancel)  # while the ConfigMap is being made
    reconcile(attempt.workload_id, cluster)
    assert [call.resource for call in creates(cluster)] == [CONFIGMAPS]
    assert objects(cluster) == []


def test_an_object_that_comes_after_everything_was_cancelled_is_taken_away(
    cluster: FakeKube, attempt: Attempt, owner: User
) -> None:
    def overtake(call: Call) -> None:
        """While this worker sleeps, its claim lapses, somebody cancels, another worker finishes that."""
        workload_cancel(actor=owner, workload=attempt.workload)
        Workload.objects.filter(pk=attempt.workload_id).update(claimed_until=None)
        reconcile(attempt.workload_id, cluster)
        assert fresh(attempt)[1].state == "cancelled"

    cluster.before("create", overtake)
    reconcile(attempt.workload_id, cluster)
    assert len(creates(cluster)) == 1
    assert objects(cluster) == []


def test_a_row_that_is_claimed_is_left_to_its_holder_who_looks_again(cluster: FakeKube, attempt: Attempt) -> None:
    claim = claims.take(attempt.workload_id)
    assert claim is not None
    reconcile(attempt.workload_id, cluster)
    assert cluster.calls == []
    assert claims.give_back(claim) is True


def test_a_lapsed_claim_is_taken_over_and_the_first_holder_writes_nothing(attempt: Attempt) -> None:
    first = claims.take(attempt.workload_id)
    assert first is not None
    assert claims.take(attempt.workload_id) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE workloads_workload SET claimed_until = clock_timestamp() - interval '1 s'")
    second = claims.take(attempt.workload_id)
    assert second is not None
    assert second.epoch == first.epoch + 1
    with pytest.raises(claims.Overtaken), claims.guarded(first):
        pytest.fail("a stale claim let its holder write")
    with claims.guarded(second) as row:
        assert row.pk == attempt.workload_id
    assert not claims.still_wanted(first)


def end(attempt: Attempt, **workload: Any) -> None:
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=now, end_state="succeeded", released_at=now)
    Workload.objects.filter(pk=attempt.workload_id).update(state="succeeded", ended_at=now, **workload)


def test_a_finished_job_stays_until_its_log_is_sealed_and_is_then_taken_away(
    cluster: FakeKube, attempt: Attempt
) -> None:
    reconcile(attempt.workload_id, cluster)
    end(attempt)
    reconcile(attempt.workload_id, cluster)
    assert len(objects(cluster)) == 2
    end(attempt, log_sealed=True)
    reconcile(attempt.workload_id, cluster)
    assert objects(cluster) == []
    assert fresh(attempt)[0].cleaned_at is not None


def test_an_object_remade_by_hand_under_an_ended_attempt_is_left_alone(cluster: FakeKube, attempt: Attempt) -> None:
    reconcile(attempt.workload_id, cluster)
    body = cluster.get(JOBS, attempt.object_name, namespace="berth-vision")
    cluster.delete(JOBS, attempt.object_name, namespace="berth-vision")
    del body["metadata"]["uid"], body["metadata"]["resourceVersion"]
    cluster.seed(JOBS, body)
    end(attempt, log_sealed=True)
    reconcile(attempt.workload_id, cluster)
    assert f"Job/{attempt.object_name}" in objects(cluster)
    assert fresh(attempt)[0].cleaned_at is not None


def test_nothing_is_made_for_a_workload_that_waits_in_the_queue(
    cluster: FakeKube, make_workload: Callable[..., Workload], tenant: Tenant, owner: User
) -> None:
    workload = make_workload(tenant, owner)
    reconcile(workload.pk, cluster)
    assert cluster.calls == []


def test_every_change_of_state_leaves_one_event(cluster: FakeKube, attempt: Attempt, owner: User) -> None:
    reconcile(attempt.workload_id, cluster)
    workload_cancel(actor=owner, workload=attempt.workload)
    reconcile(attempt.workload_id, cluster)
    reconcile(attempt.workload_id, cluster)
    states = WorkloadEvent.objects.filter(workload=attempt.workload_id).order_by("id").values_list("state", flat=True)
    assert list(states) == ["stopping", "cancelled"]
