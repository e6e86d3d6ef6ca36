"""Ends as the controller tells them: retries, deadlines, refusals, objects taken away by hand."""

from collections.abc import Callable

import pytest

from portal.kube.fake import FakeKube
from portal.kube.types import EVENTS, JOBS, Job, Pod
from tests.app.workloads.watched import RUNNING, Watched, ended, pod_body, released, stamp, states
from workloads.models import Attempt, Workload
from workloads.models import Pod as PodRow
from workloads.reconcile import reconcile

pytestmark = pytest.mark.django_db


def with_retries(attempt: Attempt, retries: int) -> None:
    workload = Workload.objects.get(pk=attempt.workload_id)
    Workload.objects.filter(pk=workload.pk).update(spec=workload.spec | {"retries": retries})


def test_a_failed_attempt_with_retries_left_goes_back_to_the_queue_at_its_old_place(
    watched: Watched, made: Attempt
) -> None:
    with_retries(made, 1)
    before = Workload.objects.get(pk=made.workload_id).created
    watched.pod(made, phase="Failed", state=ended(3))
    watched.ended_job(made, "Failed")
    watched.turn()
    assert states(made) == ("queued", "retrying")
    workload = Workload.objects.get(pk=made.workload_id)
    assert workload.created == before
    assert workload.reason_params == {"attempt": 1, "retries": 1, "reason": "exit_code", "exit_code": 3}
    assert (made.end_state, made.released_at is None) == ("failed", False)


def test_what_a_failed_attempt_held_is_free_only_when_its_pods_have_ended(watched: Watched, made: Attempt) -> None:
    with_retries(made, 1)
    watched.pod(made, phase="Running", state=RUNNING)
    watched.pod(made, n=2, phase="Failed", state=ended(3))
    watched.ended_job(made, "Failed")
    watched.turn()
    assert states(made) == ("queued", "retrying")
    assert not released(made)
    watched.index.gone(Pod, pod_body(made)["metadata"]["uid"])
    watched.turn()
    assert released(made)
    assert PodRow.objects.get(name=f"{made.object_name}-1").gone


def test_the_last_attempt_s_failure_is_the_workload_s(
    watched: Watched, made: Attempt, admit: Callable[..., Attempt], cluster: FakeKube
) -> None:
    with_retries(made, 1)
    watched.pod(made, phase="Failed", state=ended(3))
    watched.ended_job(made, "Failed")
    watched.turn()
    second = admit(Workload.objects.get(pk=made.workload_id))
    reconcile(made.workload_id, cluster)
    watched.pod(second, phase="Failed", state=ended(4))
    watched.ended_job(second, "Failed")
    watched.turn()
    assert states(second) == ("failed", "exit_code")


@pytest.mark.parametrize("status", [{"reason": "DeadlineExceeded", "message": "Pod was active too long"}])
def test_a_deadline_is_not_tried_again(watched: Watched, made: Attempt, status: dict[str, str]) -> None:
    with_retries(made, 3)
    watched.pod(made, phase="Failed", status=status)
    watched.ended_job(made, "Failed")
    watched.turn()
    assert states(made) == ("failed", "deadline")


def test_an_object_deleted_by_hand_is_told_as_such_and_not_remade(
    watched: Watched, made: Attempt, cluster: FakeKube
) -> None:
    with_retries(made, 3)
    job = watched.job(made)
    watched.pod(made, phase="Running", state=RUNNING)
    watched.turn()
    cluster.delete(JOBS, made.object_name, namespace="berth-vision")
    watched.index.gone(Job, job.metadata.uid)
    watched.turn()
    assert states(made) == ("failed", "object_deleted")
    assert not released(made)
    watched.index.gone(Pod, pod_body(made)["metadata"]["uid"])
    watched.turn()
    assert released(made)
    reconcile(made.workload_id, cluster)
    assert cluster.list(JOBS).items == []


def test_an_object_remade_by_hand_is_not_taken_for_the_first(
    watched: Watched, made: Attempt, cluster: FakeKube
) -> None:
    job = watched.job(made)
    watched.turn()
    body = cluster.get(JOBS, made.object_name, namespace="berth-vision")
    cluster.delete(JOBS, made.object_name, namespace="berth-vision")
    del body["metadata"]["uid"]
    cluster.seed(JOBS, body)
    watched.index.gone(Job, job.metadata.uid)
    watched.job(made)
    watched.turn()
    assert states(made) == ("failed", "object_deleted")
    assert Workload.objects.get(pk=made.workload_id).reason_params["remade"] is True


def test_pods_that_a_quota_refuses_are_told_in_numbers_and_waited_for(
    watched: Watched, made: Attempt, cluster: FakeKube
) -> None:
    seed_refusal(cluster, made, "exceeded quota: berth, requested: pods=1, used: pods=2, limited: pods=2")
    watched.job(made)
    watched.sweeper.every_s = 0
    watched.turn()
    assert states(made) == ("starting", "refused_retrying")
    params = Workload.objects.get(pk=made.workload_id).reason_params
    assert (params["resource"], params["asked"], params["held"], params["limit"]) == ("pods", 1, 2, 2)
    watched.job(made, active=0)
    watched.turn()
    assert states(made) == ("starting", "refused_retrying")
    watched.pod(made, phase="Running", state=RUNNING)
    watched.turn()
    assert states(made) == ("running", "")


def test_pods_that_a_policy_refuses_end_the_workload_and_its_job_goes(
    watched: Watched, made: Attempt, cluster: FakeKube, hints: list[str]
) -> None:
    seed_refusal(cluster, made, 'pods "x" is forbidden: violates PodSecurity "restricted:v1.36": seccompProfile')
    watched.job(made)
    watched.sweeper.every_s = 0
    watched.turn()
    assert states(made) == ("failed", "refused")
    assert str(made.workload_id) in hints
    reconcile(made.workload_id, cluster)
    assert cluster.list(JOBS).items == []


def seed_refusal(cluster: FakeKube, attempt: Attempt, message: str) -> None:
    body = {
        "metadata": {"name": "e", "namespace": "berth-vision"},
        "involvedObject": {"kind": "Job", "name": attempt.object_name, "uid": attempt.object_uid},
        "reason": "FailedCreate",
        "message": f"Error creating: {message}",
        "lastTimestamp": stamp(1),
    }
    cluster.seed(EVENTS, body)
