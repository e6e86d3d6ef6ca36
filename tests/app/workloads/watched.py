"""A controller whose watches are the test itself: it hands over each change, in whatever order it likes."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from portal.core import leases
from portal.kube.fake import FakeKube
from portal.kube.types import JOBS, Job, Pod
from workloads.controller import Controller, Index
from workloads.controller.events import EventBox
from workloads.models import Attempt, Workload
from workloads.sweeps import Sweeper

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
        self.events = EventBox()
        self.controller = Controller(
            held=held, kube=cluster, index=self.index, sweeper=self.sweeper, events=self.events
        )
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


def states(attempt: Attempt) -> tuple[str, str]:
    workload = Workload.objects.get(pk=attempt.workload_id)
    attempt.refresh_from_db()
    return workload.state, workload.reason_code


def released(attempt: Attempt) -> bool:
    return Attempt.objects.filter(pk=attempt.pk, released_at__isnull=False).exists()
