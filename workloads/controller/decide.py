"""What follows for an attempt and its workload from what the cluster holds. Decides only; `write` carries it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from portal.kube.types import Job
from workloads import status
from workloads.manifests import UID_ANNOTATION
from workloads.specs import TERMINAL, Desired, EndState, Reason, State
from workloads.status import AttemptObservation, PodObservation
from workloads.transitions import Change

# What another run may do better. A deadline, a refusal or a command that does not exist would only end the same way.
RETRYABLE = frozenset({Reason.EXIT_CODE, Reason.OOM_KILLED, Reason.EVICTED, Reason.NODE_LOST, Reason.UNKNOWN})
_ENDED_WITHOUT_OBJECT = frozenset({Reason.REFUSED, Reason.FOREIGN_OBJECT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An attempt and what of its workload decides; read before deciding, in one statement for a batch."""

    attempt_id: UUID
    n: int
    object_name: str
    object_uid: str
    scheduled_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    end_state: str
    attempt_reason: str
    node_name: str
    image_digest: str
    released_at: datetime | None
    cleaned_at: datetime | None
    workload_id: UUID
    desired: str
    state: str
    reason_code: str
    reason_params: Mapping[str, Any]
    retries: int
    drained: int
    namespace: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """New facts of an attempt. Empty ones leave the row as it is; an end that is written already stays."""

    attempt_id: UUID
    object_uid: str = ""
    object_created_at: datetime | None = None
    seen: AttemptObservation | None = None
    end_state: str = ""
    reason: Reason = Reason.NONE
    params: Mapping[str, Any] = field(default_factory=dict)
    ended_at: datetime | None = None
    release: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write for an attempt. `lost`: its object seems to be gone, which the API server must confirm."""

    patch: Patch | None = None
    change: Change | None = None
    hint: bool = False
    lost: bool = False


NOTHING = Decision()


def decide(row: Row, jobs: Sequence[Job], pods: Sequence[PodObservation]) -> Decision:
    """Decide from the whole current set of objects, so that lost, late and repeated events change nothing."""
    job = own_job(row, jobs)
    if row.desired == Desired.STOP or row.ended_at is not None or row.state in TERMINAL:
        return _closing(row, job, pods)
    if job is None:
        return Decision(lost=True) if row.object_uid else NOTHING
    seen = status.attempt_observation(job, pods)
    if seen.state is State.SUCCEEDED:
        return Decision(
            patch=_patch(row, job, seen, end=EndState.SUCCEEDED), change=_change(row, State.SUCCEEDED, seen)
        )
    if seen.state is State.FAILED:
        return failed(row, _patch(row, job, seen, end=EndState.FAILED))
    return _running(row, job, seen, pods)


def own_job(row: Row, jobs: Sequence[Job]) -> Job | None:
    """Return the attempt's Job: ours by annotation, and by uid once that is known."""
    ours = (job for job in jobs if job.metadata.annotations.get(UID_ANNOTATION) == str(row.attempt_id))
    return next((job for job in ours if row.object_uid in ("", job.metadata.uid)), None)


def deleted(row: Row, pods: Sequence[PodObservation], *, remade: bool) -> Decision:
    """Decide for an attempt whose object was taken away by hand: told as such, never submitted again silently."""
    patch = Patch(
        attempt_id=row.attempt_id,
        end_state=EndState.FAILED,
        reason=Reason.OBJECT_DELETED,
        params={"object": row.object_name, "remade": remade},
        release=all(pod.terminal for pod in pods),
    )
    return failed(row, patch)


def failed(row: Row, patch: Patch) -> Decision:
    """Decide for an attempt that failed: another one while retries are left, else the workload fails too."""
    seen = patch.seen or AttemptObservation(state=State.FAILED)
    if patch.reason in RETRYABLE and row.n - row.drained <= row.retries:
        params = {**patch.params, "attempt": row.n, "retries": row.retries, "reason": patch.reason.value}
        change = Change(
            workload_id=row.workload_id, state=State.QUEUED, reason=Reason.RETRYING, params=params, attempt_n=row.n
        )
        return Decision(patch=patch, change=change)
    return Decision(patch=patch, change=_change(row, State.FAILED, seen, patch.reason, patch.params))


def _closing(row: Row, job: Job | None, pods: Sequence[PodObservation]) -> Decision:
    """Decide for what has ended or must: release what its pods no longer hold, have leftovers taken away."""
    # of what was drained only a worker can say that nothing is left: its Job may be made at this moment
    draining = row.attempt_reason == Reason.DRAINED and row.released_at is None
    ended = row.ended_at is not None and row.released_at is None
    release = ended and not draining and all(pod.terminal for pod in pods)
    stopping = row.desired == Desired.STOP and row.state not in TERMINAL
    without_say = row.end_state == EndState.CANCELLED or row.attempt_reason in _ENDED_WITHOUT_OBJECT
    too_late = job is not None and job.metadata.deletion_timestamp is None and without_say
    patch = Patch(attempt_id=row.attempt_id, release=True) if release else None
    return Decision(patch=patch, hint=stopping or too_late or draining)


def _running(row: Row, job: Job, seen: AttemptObservation, pods: Sequence[PodObservation]) -> Decision:
    reason, params = seen.reason, seen.params
    if reason is Reason.CREATING and row.reason_code == Reason.REFUSED_RETRYING and not pods:
        reason, params = Reason.REFUSED_RETRYING, dict(row.reason_params)  # its pods are refused: see `refused`
    known = (row.object_uid, row.scheduled_at, row.started_at, row.node_name, row.image_digest)
    found = (
        job.metadata.uid,
        seen.scheduled_at or row.scheduled_at,
        seen.started_at or row.started_at,
        seen.node_name or row.node_name,
        seen.image_digest or row.image_digest,
    )
    same = (row.state, row.reason_code, dict(row.reason_params)) == (seen.state, reason, params)
    return Decision(
        patch=None if known == found else _patch(row, job, seen, end=None),
        change=None if same else _change(row, seen.state, seen, reason, params),
    )


def _patch(row: Row, job: Job, seen: AttemptObservation, *, end: EndState | None) -> Patch:
    return Patch(
        attempt_id=row.attempt_id,
        object_uid=job.metadata.uid,
        object_created_at=job.metadata.creation_timestamp,
        seen=seen,
        end_state=end or "",
        reason=seen.reason if end else Reason.NONE,
        params=seen.params if end else {},
        ended_at=seen.ended_at,
        release=end is not None and seen.settled,
    )


def _change(
    row: Row,
    state: State,
    seen: AttemptObservation,
    reason: Reason = Reason.NONE,
    params: Mapping[str, Any] | None = None,
) -> Change:
    return Change(
        workload_id=row.workload_id,
        state=state,
        reason=reason,
        params=params or {},
        attempt_n=row.n,
        exit_code=seen.exit_code,
        started_at=seen.started_at,
        ended_at=seen.ended_at,
    )
