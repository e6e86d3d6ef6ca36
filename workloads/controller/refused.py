"""Jobs that get no pod: the API server's reason stands only in the Job's events, which are asked for now and then."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from portal.kube.errors import KubeError
from portal.kube.gateway import Kube
from portal.kube.types import EVENTS, Event, Job
from workloads import refusals, status
from workloads.controller.decide import Decision, Patch, Row, failed, own_job
from workloads.controller.index import Key
from workloads.specs import Desired, EndState, Reason, State
from workloads.transitions import Change

MOST_AT_ONCE = 20
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
log = structlog.get_logger(__name__)


def decide_all(kube: Kube, rows: Mapping[Key, Row], jobs: Mapping[Key, Sequence[Job]]) -> list[tuple[Row, Decision]]:
    """Return decisions for starting attempts whose pods are refused; asks about a few at a time."""
    found = []
    for key, row in rows.items():
        job = own_job(row, jobs[key])
        if job is not None and _waits(row, job):
            found.append((row, job))
    decided = []
    for row, job in found[:MOST_AT_ONCE]:
        decision = _decide(kube, row, job)
        if decision is not None:
            decided.append((row, decision))
    return decided


def _waits(row: Row, job: Job) -> bool:
    wanted = row.state == State.STARTING and row.desired == Desired.RUN and row.ended_at is None
    return wanted and not status.finished(job)


def _decide(kube: Kube, row: Row, job: Job) -> Decision | None:
    try:
        message = _last_refusal(kube, row, job)
    except KubeError as error:
        log.warning("events_not_read", job=row.object_name, error=error.message)
        return None
    if not message:
        return None
    verdict = refusals.pod_verdict(message, row.extra)
    if verdict.retryable:
        change = Change(
            workload_id=row.workload_id,
            state=State.STARTING,
            reason=Reason.REFUSED_RETRYING,
            params=verdict.params,
            attempt_n=row.n,
        )
        return Decision(change=change)
    patch = Patch(
        attempt_id=row.attempt_id,
        object_uid=job.metadata.uid,
        end_state=EndState.FAILED,
        reason=Reason.REFUSED,
        params=verdict.params,
        release=True,
    )
    # The Job would go on trying: its removal is the workers' affair.
    decision = failed(row, patch)
    return Decision(patch=decision.patch, change=decision.change, hint=True)


def _last_refusal(kube: Kube, row: Row, job: Job) -> str:
    events = kube.list(
        EVENTS, namespace=row.namespace, field_selector=f"involvedObject.uid={job.metadata.uid}", as_type=Event
    )
    refused = [event for event in events.items if event.reason == "FailedCreate"]
    return max(refused, key=_moment).message if refused else ""


def _moment(event: Event) -> datetime:
    moment = event.last_timestamp or event.event_time or event.first_timestamp or _LONG_AGO
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
