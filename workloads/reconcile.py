"""Brings the cluster to what a workload's row asks for: claim, short read, cluster work, short guarded write.

Objects are made by POST under deterministic names and deleted by uid, both as the tenant's own ServiceAccount. Whatever
is lost on the way (a hint, an answer, this process) is repeated by a sweep, with the same end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import msgspec
import structlog
from django.db.models.functions import Now

from portal.core import failpoints
from portal.core.hints import wake
from portal.core.installation import installation_id
from portal.kube.client import connect
from portal.kube.errors import AlreadyExists, KubeError, NotFound
from portal.kube.gateway import Kube
from portal.kube.types import CONFIGMAPS, JOBS, PODS, Job, ObjectMeta, Partial
from tenants.manifests import writer_user
from tenants.specs import uid_range_start
from workloads import claims, kinds, refusals
from workloads.asks import classes_in
from workloads.claims import Claim, Overtaken
from workloads.kinds import BuildContext, Manifest
from workloads.manifests import UID_ANNOTATION
from workloads.models import Attempt, Workload
from workloads.specs import TERMINAL, Desired, EndState, Extra, JobSpec, Reason, State
from workloads.transitions import Change, apply_changes

QUEUE_WAKE = "queue"
DELETE_GRACE_S = 10
_ROUNDS = 4
_ENDED_WITHOUT_OBJECT = frozenset({Reason.REFUSED, Reason.FOREIGN_OBJECT})
_RESOURCES = {"Job": JOBS, "ConfigMap": CONFIGMAPS}
T = TypeVar("T")
log = structlog.get_logger(__name__)


class Foreign(Exception):
    """The name of an attempt's object is taken by one that is not the attempt's."""


@dataclass(frozen=True, slots=True)
class Run:
    """One look at a workload: what was read with the claim, and the cluster as the tenant's writer sees it."""

    claim: Claim
    workload: Workload
    kube: Kube

    @property
    def namespace(self) -> str:
        return self.workload.tenant.namespace


def reconcile(workload_id: UUID, kube: Kube | None = None) -> None:
    """Bring the cluster to what the row asks for, unless another worker is at it. Never raises KubeError.

    Looks again at once while wishes or hints came in meanwhile, a few times at most; a sweep does the rest.
    """
    for _round in range(_ROUNDS):
        claim = claims.take(workload_id)
        if claim is None:
            return
        try:
            with claims.kept(claim):
                _act(claim, kube or connect("writer"))
            overtaken = False
        except Overtaken:
            overtaken = True  # perhaps after something was made that nobody wants any more: look again
        except KubeError as error:
            overtaken = False
            log.warning("not_reconciled", workload=str(workload_id), error=error.message)
        finally:
            changed = claims.give_back(claim)
        if not (overtaken or changed):
            return


def _act(claim: Claim, kube: Kube) -> None:
    workload = Workload.objects.select_related("tenant").get(pk=claim.workload_id)
    run = Run(claim, workload, kube.impersonate(writer_user(workload.tenant.namespace)))
    attempts = list(workload.attempts.order_by("n"))
    if workload.desired == Desired.STOP and workload.state not in (State.SUCCEEDED, State.FAILED):
        _stop(run, attempts)
        return
    for attempt in attempts:
        if attempt.cleaned_at is not None and not _astray(attempt):
            continue
        if attempt.ended_at is None and workload.state not in TERMINAL:
            _start(run, attempt)
        else:
            _clear(run, attempt)


# Towards a running object.


def _start(run: Run, attempt: Attempt) -> None:
    if attempt.object_uid:
        return
    try:
        made = _make_all(run, attempt)
    except Foreign as error:
        _fail(run, attempt, Reason.FOREIGN_OBJECT, {"object": str(error)})
    except kinds.UnsafeManifest as error:
        _fail(run, attempt, Reason.REFUSED, {"message": str(error)})
    except KubeError as error:
        _refused(run, attempt, error)
    else:
        failpoints.hit("reconcile.before_status_write")
        _record_object(run, attempt, made)
        failpoints.hit("reconcile.after_status_write")


def _make_all(run: Run, attempt: Attempt) -> ObjectMeta:
    """Make the attempt's objects in order and return the identity of the last, which is the root.

    Raises Foreign, Overtaken, KubeError.
    """
    made = ObjectMeta()
    for manifest in kinds.build(_context(run.workload, attempt)):
        if not claims.still_wanted(run.claim):
            raise Overtaken(str(run.workload.pk))
        failpoints.hit("reconcile.before_create")
        made = _make(run, attempt, manifest)
        failpoints.hit("reconcile.after_create")
    return made


def _make(run: Run, attempt: Attempt, manifest: Manifest) -> ObjectMeta:
    """Create one object, or find that it is there already by an earlier try of ours."""
    resource, name = _RESOURCES[manifest["kind"]], manifest["metadata"]["name"]
    try:
        created = run.kube.create(resource, manifest, namespace=run.namespace)
    except AlreadyExists:
        found = run.kube.get(resource, name, namespace=run.namespace, as_type=Partial).metadata
        if found.annotations.get(UID_ANNOTATION) != str(attempt.pk):
            raise Foreign(f"{manifest['kind']}/{name}") from None
        return found
    return msgspec.convert(created, Partial).metadata


def _context(workload: Workload, attempt: Attempt) -> BuildContext:
    return BuildContext(
        installation_id=installation_id(),
        tenant_id=workload.tenant_id,
        workload_id=workload.pk,
        attempt_id=attempt.pk,
        attempt_n=attempt.n,
        namespace=workload.tenant.namespace,
        object_name=attempt.object_name,
        spec=msgspec.convert(workload.spec, JobSpec),
        spec_digest=workload.spec_digest,
        uid_range_start=uid_range_start(workload.tenant_id),
        extra=msgspec.convert(workload.extra, dict[str, Extra]),
        gpu_class=next((key for key in classes_in(workload.extra) if key in attempt.holds), ""),
    )


def _record_object(run: Run, attempt: Attempt, made: ObjectMeta) -> None:
    with claims.guarded(run.claim) as row:
        Attempt.objects.filter(pk=attempt.pk, object_uid="").update(
            object_uid=made.uid, object_created_at=made.creation_timestamp or Now()
        )
        # The watch may have told more by now: only a refusal that is over is taken back.
        if row.state == State.STARTING and row.reason_code == Reason.REFUSED_RETRYING:
            apply_changes([_change(row, attempt, State.STARTING, Reason.CREATING)])


def _refused(run: Run, attempt: Attempt, error: KubeError) -> None:
    """Tell a refusal that will not change from one that may pass, and show either."""
    verdict = refusals.verdict(error, run.workload.extra)
    if not verdict.retryable:
        _fail(run, attempt, Reason.REFUSED, verdict.params)
        return
    log.warning("refused_for_now", workload=str(run.workload.pk), error=error.message)
    with claims.guarded(run.claim) as row:
        if row.state == State.STARTING:
            apply_changes([_change(row, attempt, State.STARTING, Reason.REFUSED_RETRYING, verdict.params)])


def _fail(run: Run, attempt: Attempt, reason: Reason, params: dict[str, object]) -> None:
    """End an attempt of which nothing runs, and its workload with it."""
    with claims.guarded(run.claim) as row:
        apply_changes([_change(row, attempt, State.FAILED, reason, params)])
        _end(attempt, EndState.FAILED, reason, params)
        _release(attempt)
        wake(QUEUE_WAKE)


# Towards nothing.


def _stop(run: Run, attempts: list[Attempt]) -> None:
    """Delete all that there is of a workload; once nothing is left, release what it held and call it cancelled.

    Looks at every attempt each time: an object may have been made just after the last look.
    """
    left = [_delete(run, attempt, _own_job(run, attempt)) for attempt in attempts]
    if any(left) or _pods_left(run, delete=True):
        return
    failpoints.hit("reconcile.before_status_write")
    with claims.guarded(run.claim) as row:
        for attempt in attempts:
            if attempt.ended_at is None:
                _end(attempt, EndState.CANCELLED, Reason.CANCELLED_BY, row.reason_params)
            _release(attempt)
            Attempt.objects.filter(pk=attempt.pk, cleaned_at=None).update(cleaned_at=Now())
        reason = Reason(row.reason_code) if row.state == State.STOPPING else Reason.CANCELLED_BY
        apply_changes([_change(row, attempts[-1] if attempts else None, State.CANCELLED, reason, row.reason_params)])
        wake(QUEUE_WAKE)


def _clear(run: Run, attempt: Attempt) -> None:
    """Take away what should not be there any more: an object that came too late, or one whose log is sealed.

    An object with the attempt's name and annotation but another uid was made by hand: it is nobody's to delete.
    """
    if not _astray(attempt) and not run.workload.log_sealed:
        return
    job = _own_job(run, attempt)
    if job is not None and attempt.object_uid not in ("", job.metadata.uid):
        job = None
    if _delete(run, attempt, job) or attempt.cleaned_at is not None:
        return
    drained = attempt.reason_code == Reason.DRAINED
    nothing_left = not _pods_left(run, delete=drained)
    if drained and not nothing_left:
        return  # it is released here alone: a sweep looks again until its pods are gone
    with claims.guarded(run.claim):
        Attempt.objects.filter(pk=attempt.pk, cleaned_at=None).update(cleaned_at=Now())
        if nothing_left:
            _release(attempt)
            wake(QUEUE_WAKE)


def _astray(attempt: Attempt) -> bool:
    """Tell whether the attempt ended without its object having a say: one that appears yet must go."""
    return attempt.end_state == EndState.CANCELLED or attempt.reason_code in _ENDED_WITHOUT_OBJECT


def _delete(run: Run, attempt: Attempt, job: Job | None) -> bool:
    """Ask for the deletion of an attempt's objects; return whether the root object is still there."""
    _delete_script(run, attempt)
    if job is None:
        return False
    if job.metadata.deletion_timestamp is None:
        # In the foreground: the Job stays until its pods are gone, so "no Job" means "nothing runs".
        run.kube.delete(
            JOBS,
            attempt.object_name,
            namespace=run.namespace,
            uid=job.metadata.uid,
            grace_s=DELETE_GRACE_S,
            propagation="Foreground",
        )
    return _own_job(run, attempt) is not None


def _own_job(run: Run, attempt: Attempt) -> Job | None:
    """Return the attempt's Job, or None when there is none or the name belongs to another."""
    found = _found(lambda: run.kube.get(JOBS, attempt.object_name, namespace=run.namespace, as_type=Job))
    return found if found is not None and found.metadata.annotations.get(UID_ANNOTATION) == str(attempt.pk) else None


def _delete_script(run: Run, attempt: Attempt) -> None:
    if run.workload.spec.get("script") is None:
        return
    name = attempt.object_name
    found = _found(lambda: run.kube.get(CONFIGMAPS, name, namespace=run.namespace, as_type=Partial))
    if found is not None and found.metadata.annotations.get(UID_ANNOTATION) == str(attempt.pk):
        run.kube.delete(CONFIGMAPS, name, namespace=run.namespace, uid=found.metadata.uid)


def _pods_left(run: Run, *, delete: bool) -> bool:
    """Tell whether pods of the workload are left; `delete` asks for their end where no Job's deletion did."""
    selector = f"berth.dev/installation={installation_id()},berth.dev/workload={run.workload.pk}"
    pods = run.kube.list(PODS, namespace=run.namespace, label_selector=selector, as_type=Partial)
    for pod in (found.metadata for found in pods.items if delete and found.metadata.deletion_timestamp is None):
        run.kube.delete(PODS, pod.name, namespace=run.namespace, uid=pod.uid, grace_s=DELETE_GRACE_S)
    return bool(pods.items or pods.poisoned)


def _found(get: Callable[[], T]) -> T | None:
    try:
        return get()
    except NotFound:
        return None


# Rows.


def _end(attempt: Attempt, end_state: EndState, reason: Reason, params: dict[str, object]) -> None:
    """Write the end of an attempt; an end that is written already stays."""
    Attempt.objects.filter(pk=attempt.pk, ended_at=None).update(
        ended_at=Now(), end_state=end_state, reason_code=reason, reason_params=params
    )


def _release(attempt: Attempt) -> None:
    """Give back what the attempt held."""
    Attempt.objects.filter(pk=attempt.pk, released_at=None).update(released_at=Now())


def _change(
    row: Workload, attempt: Attempt | None, state: State, reason: Reason, params: dict[str, object] | None = None
) -> Change:
    return Change(
        workload_id=row.pk, state=state, reason=reason, params=params or {}, attempt_n=attempt.n if attempt else None
    )
