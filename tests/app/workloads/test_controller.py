"""What the watches say reaches the rows: in order or not, once or twice, and only while the lease is held."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.leases import LeaseLost
from portal.core.models import ClusterStatus, Lease, User
from portal.kube.errors import PoisonObject
from portal.kube.fake import FakeKube
from portal.kube.types import JOBS, Job, Pod
from tenants.models import Tenant
from tests.app.workloads.watched import RUNNING, START, Watched, ended, pod_body, states
from workloads.controller import write
from workloads.controller.health import status_check
from workloads.controller.index import Key
from workloads.models import Attempt, Workload, WorkloadEvent
from workloads.models import Pod as PodRow
from workloads.reconcile import reconcile

pytestmark = pytest.mark.django_db


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


def test_a_watch_that_is_late_is_not_taken_for_a_deletion(watched: Watched, made: Attempt) -> None:
    watched.sweeper.every_s = 0
    watched.turn()
    assert states(made) == ("starting", "creating")


def test_only_attempts_that_may_have_lost_something_are_looked_at_again(
    watched: Watched, made: Attempt, make_workload: Callable[..., Workload], admit: Callable[..., Attempt]
) -> None:
    tenant, owner = made.workload.tenant, made.workload.owner
    waiting, stopped = (admit(make_workload(tenant, owner)) for _ in range(2))
    Workload.objects.filter(pk=stopped.workload_id).update(desired="stop")
    assert set(write.unwatched_keys()) == {Key(made.workload_id, 1), Key(stopped.workload_id, 1)}
    Attempt.objects.filter(pk=waiting.pk).update(ended_at=datetime.now(UTC), end_state="failed")
    assert Key(waiting.workload_id, 1) in write.unwatched_keys()


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
