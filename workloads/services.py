"""What people do to workloads: policy, rows, audit, then hints. No network, no cluster."""

import base64
import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from gpu.selectors import node_offers
from portal.core import audit, idempotency, policy
from portal.core.errors import Conflict, NotVisible, Rejected
from portal.core.hints import hint, wake
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from portal.live.publish import WorkloadChanged, publish_workloads
from tenants import quotas
from tenants.models import Tenant
from workloads import asks, rules, specs, tasks
from workloads.admission import QUEUE
from workloads.explain import problem_text, problem_texts
from workloads.extras import Extras, extras_of
from workloads.models import Workload, WorkloadEvent
from workloads.overrides import patched_spec
from workloads.specs import Desired, JobSpec, Problem, Reason, State
from workloads.templatereads import origin_of
from workloads.transitions import Change, apply_changes

_KUBE_NAME_BYTES = 10  # more than 10 base32 characters need; the rest is cut off
_KUBE_NAME_CHARS = 10


@retried
def workload_submit(
    *,
    actor: User,
    tenant: Tenant,
    spec: JobSpec,
    idempotency_key: str | None = None,
    parent: Workload | None = None,
) -> tuple[Workload, bool]:
    """Queue a workload, or with a known idempotency key return what its first use made (then the second item is True).

    Over the limits is no error: it waits. At most 12 SQL statements, 14 where the tenant bounds how many wait. Wakes
    the queue after the commit. Raises NotVisible, Denied, Rejected by field, IdempotencyReplay, and Conflict where no
    more may wait.
    """
    policy.require(actor, Action.WORKLOAD_SUBMIT, tenant)
    if parent is not None:
        policy.require(actor, Action.WORKLOAD_VIEW, parent)
    _reject(specs.spec_problems(spec))
    new_id = uuid.uuid4()
    with transaction.atomic():
        if idempotency_key is not None:
            digest = specs.digest_of([tenant.pk, spec, parent.pk if parent else None])
            first = idempotency.claim(actor=actor, key=idempotency_key, digest=digest, object_id=new_id)
            if first is not None:
                return Workload.objects.get(pk=first), True
        origin = origin_of(user=actor, tenant=tenant, spec=spec, parent=parent)
        extras = extras_of(spec.resources)
        problems = tenant_problems(tenant, spec, extras)
        if isinstance(origin, Problem):
            raise _rejected([origin, *problems])
        _reject(problems)
        _require_room_to_wait(tenant)
        said = rules.with_time_limit(tenant, msgspec.structs.replace(spec, template_version=origin.number))
        workload = _row(actor, tenant, said, parent)
        workload.extra = extras.rows
        workload.pk, workload.made_from_id = new_id, origin.template_id
        _insert(actor, workload)
    return workload, False


def workload_clone(
    *,
    actor: User,
    source: Workload,
    overrides: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Workload:
    """Submit a workload's spec again, changed, with that workload as the parent; in its tenant.

    `overrides` is a JSON merge patch of the spec (RFC 7396): objects such as `env` are merged, null removes. Raises
    what `workload_submit` raises; for changes that do not fit a spec's shape Rejected by field.
    """
    policy.require(actor, Action.WORKLOAD_VIEW, source)
    policy.require(actor, Action.WORKLOAD_SUBMIT, source.tenant)
    spec = patched_spec(source.spec, overrides or {})
    if isinstance(spec, Problem):
        raise _rejected([spec])
    workload, _replayed = workload_submit(
        actor=actor, tenant=source.tenant, spec=spec, idempotency_key=idempotency_key, parent=source
    )
    return workload


def submission_problems(*, actor: User, tenant: Tenant, spec: JobSpec) -> list[Problem]:
    """Return all that would make `workload_submit` refuse a spec. At most five statements, nothing is written."""
    policy.require(actor, Action.WORKLOAD_SUBMIT, tenant)
    problems = specs.spec_problems(spec)
    origin = None if problems else origin_of(user=actor, tenant=tenant, spec=spec)
    full = rules.queue_problem(tenant)
    found = [*problems, *([origin] if isinstance(origin, Problem) else [])]
    found += tenant_problems(tenant, spec, extras_of(spec.resources))
    return [*found, *([full] if full else [])]


def tenant_problems(tenant: Tenant, spec: JobSpec, extras: Extras) -> list[Problem]:
    """Return what a tenant does not allow of a spec, and the sizes that its pods can never have.

    Two statements, three in a cohort.
    """
    if extras.problems:
        return [*rules.rule_problems(tenant, spec), *extras.problems]
    book, asked = quotas.book_of([tenant]), extras.by_key
    names = {key: found.kube_name for key, found in asked.items() if not found.product}
    products = {key: found.product for key, found in asked.items() if found.product}
    whole = {key: book.pair(tenant.pk, key).ceiling for key in (*asks.SIZE_FIELDS, *asked)}
    offers = [offers for offers, _usable in node_offers(names, products)]
    return [
        *rules.rule_problems(tenant, spec),
        *asks.size_problems(spec.resources, whole, offers, per_pod=extras.per_pod, words=extras.words),
        *asks.class_problems(spec.resources, whole, offers, words=extras.words),
    ]


@retried
def workload_cancel(*, actor: User, workload: Workload) -> Workload:
    """Cancel: at once while it is queued, else by ending its pods first (state stopping); twice is the same as once.

    One's own needs WORKLOAD_CANCEL, others' WORKLOAD_CANCEL_ANY. Raises NotVisible, Denied, and Conflict where it has
    already ended.
    """
    own = workload.owner_id == actor.pk
    policy.require(actor, Action.WORKLOAD_CANCEL if own else Action.WORKLOAD_CANCEL_ANY, workload)
    with transaction.atomic():
        row = Workload.objects.select_for_update(no_key=True).get(pk=workload.pk)
        if row.state in specs.TERMINAL:
            raise Conflict(_("It has already ended, so there is nothing to cancel."))
        if row.desired != Desired.STOP:
            _stop(actor, row)
    return Workload.objects.select_related("tenant", "owner").get(pk=workload.pk)


@retried
def workload_hide(*, actor: User, workload: Workload) -> None:
    """Take a workload that has ended out of every list and page; its rows stay until retention. For good.

    One's own needs WORKLOAD_CANCEL, others' WORKLOAD_CANCEL_ANY. Raises NotVisible, Denied, and Conflict where it has
    not ended.
    """
    own = workload.owner_id == actor.pk
    policy.require(actor, Action.WORKLOAD_CANCEL if own else Action.WORKLOAD_CANCEL_ANY, workload)
    with transaction.atomic():
        row = Workload.objects.select_for_update(no_key=True).get(pk=workload.pk)
        if row.hidden:
            raise NotVisible
        if row.state not in specs.TERMINAL:
            raise Conflict(_("It has not ended. Cancel it first, then delete it."))
        Workload.objects.filter(pk=row.pk).update(hidden=True, version=F("version") + 1)
        audit.record(
            actor=actor,
            action="workload.hide",
            target=row,
            tenant_id=row.tenant_id,
            before={"name": row.name, "state": row.state},
        )
        changed = WorkloadChanged(id=row.pk, tenant_id=row.tenant_id, state=row.state, version=row.version + 1)
        transaction.on_commit(lambda: publish_workloads([changed]), robust=True)


def _require_room_to_wait(tenant: Tenant) -> None:
    """Raise Conflict where no more of a tenant's work may wait; its lock lets one submission after the other look."""
    if tenant.max_waiting is not None:
        [locked] = quotas.tenants_locked([tenant.pk])
        full = rules.queue_problem(locked)
        if full is not None:
            raise Conflict(problem_text(full))


def _reject(problems: Sequence[Problem]) -> None:
    if problems:
        raise _rejected(problems)


def _rejected(problems: Sequence[Problem]) -> Rejected:
    return Rejected({field: list(texts) for field, texts in problem_texts(problems).items()})


def _row(actor: User, tenant: Tenant, spec: JobSpec, parent: Workload | None) -> Workload:
    return Workload(
        tenant=tenant,
        owner=actor,
        name=spec.name,
        kind=spec.kind,
        spec=specs.spec_json(spec),
        spec_digest=specs.digest_of(spec),
        kube_name=_kube_name(),
        parent=parent,
        cpu_millicores=spec.resources.cpu_millicores,
        memory_mib=spec.resources.memory_mib,
        gpus=spec.resources.gpus,
    )


def _kube_name() -> str:
    random = base64.b32encode(secrets.token_bytes(_KUBE_NAME_BYTES)).decode().lower()
    return f"w-{random[:_KUBE_NAME_CHARS]}"


def _insert(actor: User, workload: Workload) -> None:
    workload.save(force_insert=True)
    WorkloadEvent.objects.create(workload=workload, state=State.QUEUED, actor=actor)
    audit.record(
        actor=actor,
        action="workload.submit",
        target=workload,
        tenant_id=workload.tenant_id,
        after={
            "name": workload.name,
            "image": workload.spec["image"],
            "spec_digest": workload.spec_digest,
            "cpu_millicores": workload.cpu_millicores,
            "memory_mib": workload.memory_mib,
            "gpus": workload.gpus,
            **({"extra": spec_extra} if (spec_extra := workload.spec["resources"]["extra"]) else {}),
        },
    )
    changed = WorkloadChanged(
        id=workload.pk, tenant_id=workload.tenant_id, state=State.QUEUED.value, version=workload.version
    )
    transaction.on_commit(lambda: publish_workloads([changed]), robust=True)
    wake(QUEUE)


def _stop(actor: User, row: Workload) -> None:
    waits = row.state == State.QUEUED
    Workload.objects.filter(pk=row.pk).update(desired=Desired.STOP, generation=F("generation") + 1)
    change = Change(
        workload_id=row.pk,
        state=State.CANCELLED if waits else State.STOPPING,
        reason=Reason.CANCELLED_BY,
        params={"user": actor.get_username()},
        attempt_n=row.attempts_made or None,
        actor_id=actor.pk,
    )
    apply_changes([change])
    audit.record(
        actor=actor,
        action="workload.cancel",
        target=row,
        tenant_id=row.tenant_id,
        before={"state": row.state},
        after={"state": change.state.value},
    )
    hint(tasks.reconcile_workload, str(row.pk))
    wake(QUEUE)
