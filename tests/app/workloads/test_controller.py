"""What the watches say reaches the rows: in order or not, once or twice, and only while the lease is held."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core import leases
from portal.core.leases import LeaseLost
from portal.core.models import ClusterStatus, Lease, User
from portal.kube.errors import PoisonObject
from portal.kube.fake import FakeKube
from portal.kube.types import EVENTS, JOBS, Job, Pod
from tenants.models import Tenant
from workloads.controller import Controller, Index
from workloads.controller.health import status_check
from workloads.controller.index import Key
from workloads.models import Attempt, Workload, WorkloadEvent
from workloads.models import Pod as PodRow
from workloads.reconcile import reconcile
from workloads.sweeps import Sweeper

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


class Watched:
    """A controller, its index, and a cluster whose changes the test hands over itself."""

    def __init__(self, cluster: FakeKube) -> None:
        self.cluster = cluster
        held = leases.acquire("controller", "test")
        assert held is not None
        self.held = held
        self.index = Index()
        self.sweeper = Sweeper(held, every_s=3600)
        self.sweeper._last_s = time.monotonic()  # tests say when to sweep
        self.controller = Controller(held=held, kube=cluster, index=self.index, sweeper=self.sweeper)
        for kind in (Job, Pod):
            self.index.synced(kind)

    def job(self, attempt: Attempt, **status: Any) -> Job:
        """Hand over the attempt's Job with a status."""
        body = self.cluster.get(JOBS, attempt.object_name, namespace="berth-vision")
        if status:
            body = self.cluster.set_status(JOBS, attempt.object_name, status, namespace="berth-vision")
        job = msgspec.convert(body, Job)
        self.index.job(job)
        return job

    def ended_job(self, attempt: Attempt, kind: str, reason: str = "") -> Job:
        condition = {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": stamp(60)}
        return self.job(attempt, conditions=[condition])

    def pod(self, attempt: Attempt, *, n: int = 1, **fields: Any) -> Pod:
        """Hand over a pod of the attempt."""
        pod = msgspec.convert(pod_body(attempt, n=n, **fields), Pod)
        self.index.pod(pod)
        return pod

    def turn(self) -> None:
        self.controller.turn()


def stamp(after_s: int) -> str:
    return (START + timedelta(seconds=after_s)).isoformat().replace("+00:00", "Z")


def pod_body(attempt: Attempt, *, n: int = 1, phase: str = "Pending", state: Any = None, **fields: Any) -> Any:
    labels = {"berth.dev/workload": str(attempt.workload_id), "berth.dev/attempt": str(attempt.n)}
    status = {"phase": phase, **fields.pop("status", {})}
    if state is not None:
        status["containerStatuses"] = [{"name": "main", "image": "i", "imageID": "i@sha256:1", "state": state}]
    return {
        "metadata": {
            "uid": f"00000000-0000-4000-8000-{attempt.n:06d}{n:06d}",
            "name": f"{attempt.object_name}-{n}",
            "labels": labels,
            "resourceVersion": fields.pop("version", "1"),
            "creationTimestamp": stamp(n),
        },
        "spec": {"nodeName": "n1"},
        "status": status,
        **fields,
    }


RUNNING = {"running": {"startedAt": stamp(5)}}


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": stamp(5), "finishedAt": stamp(50)}}


@pytest.fixture
def watched(cluster: FakeKube) -> Watched:
    return Watched(cluster)


@pytest.fixture
def made(cluster: FakeKube, attempt: Attempt) -> Attempt:
    """An attempt whose Job was made."""
    reconcile(attempt.workload_id, cluster)
    attempt.refresh_from_db()
    return attempt


def states(attempt: Attempt) -> tuple[str, str]:
    workload = Workload.objects.get(pk=attempt.workload_id)
    attempt.refresh_from_db()
    return workload.state, workload.reason_code


def released(attempt: Attempt) -> bool:
    return Attempt.objects.filter(pk=attempt.pk, released_at__isnull=False).exists()


def test_a_job_runs_and_succeeds(watched: Watched, made: Attempt) -> None:
    watched.job(made)
    watched.pod(made, phase="Running", state=RUNNING)
    watched.turn()
    assert states(made) == ("running", "")
    assert (made.node_name, made.image_digest, made.started_at) == ("n1", "i@sha256:1", START + timedelta(seconds=5))
    watched.pod(made, phase="Succeeded", state=ended(0, "Completed"), version="2")
    watched.ended_job(made, "Complete")
    watched.turn()
    assert states(made) == ("succeeded", "")
    assert (made.end_state, made.exit_code, made.ended_at) == ("succeeded", 0, START + timedelta(seconds=50))
    assert made.released_at is not None
    pod = PodRow.objects.get(attempt=made)
    assert (pod.phase, pod.gone, pod.containers[0]["state"]) == ("Succeeded", False, "terminated")


def test_a_failed_job_tells_its_exit_code(watched: Watched, made: Attempt) -> None:
    watched.pod(made, phase="Failed", state=ended(3))
    watched.ended_job(made, "Failed", "BackoffLimitExceeded")
    watched.turn()
    assert states(made) == ("failed", "exit_code")
    workload = Workload.objects.get(pk=made.workload_id)
    assert (workload.exit_code, workload.reason_params) == (3, {"exit_code": 3})


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


def test_events_that_repeat_or_come_late_leave_the_end_as_it_is(watched: Watched, made: Attempt) -> None:
    watched.pod(made, phase="Succeeded", state=ended(0, "Completed"), version="9")
    watched.ended_job(made, "Complete")
    watched.turn()
    version = Workload.objects.get(pk=made.workload_id).version
    watched.pod(made, phase="Running", state=RUNNING, version="3")
    watched.job(made, active=1)
    watched.turn()
    watched.ended_job(made, "Failed")
    watched.turn()
    assert states(made) == ("succeeded", "")
    assert Workload.objects.get(pk=made.workload_id).version == version
    assert made.end_state == "succeeded"


def test_an_event_that_changes_nothing_writes_nothing(watched: Watched, made: Attempt) -> None:
    watched.job(made)
    watched.pod(made, phase="Running", state=RUNNING)
    watched.turn()
    watched.pod(made, phase="Running", state=RUNNING, version="77")
    watched.job(made)
    with CaptureQueriesContext(connection) as seen:
        watched.turn()
    assert not [query["sql"] for query in seen if not query["sql"].lstrip().startswith("SELECT")]


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


def test_a_watch_that_is_late_is_not_taken_for_a_deletion(watched: Watched, made: Attempt) -> None:
    watched.sweeper.every_s = 0
    watched.turn()
    assert states(made) == ("starting", "creating")


def test_what_is_absent_means_nothing_before_everything_was_listed(cluster: FakeKube, made: Attempt) -> None:
    watched = Watched(cluster)
    watched.index._pods.synced = False
    cluster.delete(JOBS, made.object_name, namespace="berth-vision")
    watched.index.put_back([Key(made.workload_id, 1)])
    watched.turn()
    assert states(made) == ("starting", "creating")
    watched.index.synced(Pod)
    watched.turn()
    assert states(made) == ("failed", "object_deleted")


def test_an_object_whose_maker_died_is_found_by_its_annotation(watched: Watched, made: Attempt) -> None:
    uid = made.object_uid
    Attempt.objects.filter(pk=made.pk).update(object_uid="", object_created_at=None)
    watched.job(made)
    watched.turn()
    made.refresh_from_db()
    assert made.object_uid == uid
    assert made.object_created_at is not None


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was hinted, instead of a broker."""
    told: list[str] = []
    for module in ("workloads.controller.loop", "workloads.sweeps"):
        monkeypatch.setattr(f"{module}.hint", lambda task, *args: told.append(args[0]))
    return told


def test_an_object_of_a_cancelled_attempt_is_hinted_again(watched: Watched, made: Attempt, hints: list[str]) -> None:
    now = datetime.now(UTC)
    Workload.objects.filter(pk=made.workload_id).update(desired="stop", state="cancelled", generation=2, ended_at=now)
    Attempt.objects.filter(pk=made.pk).update(end_state="cancelled", ended_at=now, released_at=now, cleaned_at=now)
    watched.job(made)
    watched.turn()
    assert hints == [str(made.workload_id)]
    reconcile(made.workload_id, watched.cluster)
    assert watched.cluster.list(JOBS).items == []


def test_a_pod_that_ends_under_a_cancel_is_hinted_on(watched: Watched, made: Attempt, hints: list[str]) -> None:
    Workload.objects.filter(pk=made.workload_id).update(desired="stop", state="stopping", generation=2)
    watched.index.job(watched.job(made))
    watched.turn()
    watched.index.gone(Job, made.object_uid)
    watched.turn()
    assert hints == [str(made.workload_id)] * 2
    assert states(made)[0] == "stopping"


def test_a_leader_that_lost_its_lease_writes_nothing(watched: Watched, made: Attempt) -> None:
    Lease.objects.filter(name="controller").update(epoch=99, holder="another")
    watched.pod(made, phase="Succeeded", state=ended(0))
    watched.ended_job(made, "Complete")
    with pytest.raises(LeaseLost):
        watched.turn()
    assert states(made) == ("starting", "creating")
    with pytest.raises(LeaseLost):
        status_check(held=watched.held, kube=watched.cluster, in_step=lambda: True)
    assert not ClusterStatus.objects.exclude(reachable_at=None).exists()


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


def test_an_object_without_a_row_is_counted_and_left_alone(watched: Watched, made: Attempt) -> None:
    job = watched.job(made)
    stranger = msgspec.structs.replace(
        job,
        metadata=msgspec.structs.replace(
            job.metadata, uid="other", labels={"berth.dev/workload": str(made.pk), "berth.dev/attempt": "1"}
        ),
    )
    nameless = msgspec.structs.replace(job, metadata=msgspec.structs.replace(job.metadata, uid="third", labels={}))
    watched.index.job(stranger)
    watched.index.job(nameless)
    watched.turn()
    assert watched.controller.orphan_count == 2
    watched.index.gone(Job, "other")
    watched.index.gone(Job, "third")
    watched.turn()
    assert watched.controller.orphan_count == 0
    assert len(watched.cluster.list(JOBS).items) == 1


def test_a_pod_without_a_proper_uid_is_set_aside(watched: Watched, made: Attempt) -> None:
    body = pod_body(made)
    body["metadata"]["uid"] = "../../etc"
    with pytest.raises(PoisonObject):
        watched.index.pod(msgspec.convert(body, Pod))


def test_a_batch_takes_the_same_number_of_statements_whatever_its_size(
    watched: Watched,
    cluster: FakeKube,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    counts = []
    for size in (2, 40):
        attempts = [admit(make_workload(tenant, owner)) for _ in range(size)]
        for attempt in attempts:
            reconcile(attempt.workload_id, cluster)
            watched.job(attempt)
            watched.pod(attempt, n=attempt.pk.int % 999_999, phase="Running", state=RUNNING)
        with CaptureQueriesContext(connection) as seen:
            watched.turn()
        counts.append(len(seen))
        assert all(states(attempt) == ("running", "") for attempt in attempts)
    assert counts[0] == counts[1] <= 12


def test_every_change_leaves_one_event(watched: Watched, made: Attempt) -> None:
    for _ in range(2):
        watched.pod(made, phase="Running", state=RUNNING)
        watched.job(made)
        watched.turn()
    watched.pod(made, phase="Failed", state=ended(1))
    watched.ended_job(made, "Failed")
    watched.turn()
    kept = WorkloadEvent.objects.filter(workload=made.workload_id).order_by("id").values_list("state", "attempt_n")
    assert list(kept) == [("running", 1), ("failed", 1)]


def test_the_status_row_tells_when_the_cluster_answered_and_when_the_watches_were_in_step(
    watched: Watched, cluster: FakeKube
) -> None:
    status_check(held=watched.held, kube=cluster, in_step=lambda: False)
    row = ClusterStatus.objects.get()
    assert (row.reachable_at is None, row.synced_at, row.problem) == (False, None, "")
    status_check(held=watched.held, kube=cluster, in_step=lambda: True)
    reachable_at = ClusterStatus.objects.get().reachable_at
    cluster.set_available(False)
    status_check(held=watched.held, kube=cluster, in_step=lambda: True)
    row = ClusterStatus.objects.get()
    assert (row.reachable_at, row.problem) == (reachable_at, "connection refused")
    assert row.synced_at is not None
