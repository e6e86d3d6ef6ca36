"""What administrators do to quotas and cohorts: policy, the ledger under its locks, audit; the cluster follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.core import audit, policy
from portal.core.errors import Conflict, NotVisible, Rejected, Text, reject
from portal.core.hints import wake
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from tenants import quotas, specs
from tenants.drains import Victim, chosen, drain
from tenants.gauges import amount_text
from tenants.ledger import Bounds, NeedsChoice, bounds_problems
from tenants.models import Cohort, QuotaLine, ResourceType, Tenant
from tenants.specs import QUEUE_WAKE, Amounts, Excess, Unit

MAX_COHORT_NAME = 120
MOST_NAMED = 10
_PROBLEMS = {
    "negative": gettext_lazy("Enter a number of 0 or more."),
    "lend_above_nominal": gettext_lazy("A tenant can lend at most its nominal quota."),
    "no_cohort": gettext_lazy("Only a tenant in a cohort can lend or borrow."),
}


@retried
def quota_set(*, actor: User, tenant: Tenant, bounds: Mapping[str, Bounds], excess: Excess = Excess.REFUSE) -> Tenant:
    """Set a tenant's quotas of these types; the others stay. The queue is woken and the namespace follows.

    Where more is held than would be allowed, `excess` must say what becomes of it: it stays as overhang, and nothing
    new is admitted until it is used up, or work is stopped besides. Raises NotVisible, Denied, Rejected by key.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS, tenant)
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        wanted = {key: asdict(found) for key, found in bounds.items()}
        before, after = quota_change(locked, wanted, excess=excess)
        stopped = excess_drained(actor, locked, wanted) if excess is Excess.DRAIN else []
        if after or stopped:
            said: dict[str, Any] = {"quota": after, **stopped_told(stopped)}
            told = {"before": {"quota": before}, "after": said}
            audit.record(actor=actor, action="tenant.quota", target=locked, tenant_id=locked.pk, **told)
    return locked


def quota_change(
    tenant: Tenant, changes: Mapping[str, Mapping[str, int]], *, excess: Excess
) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Set some bounds of a locked tenant: by key, then by name as `Bounds` has them. In the caller's transaction.

    Returns the bounds that changed, before and after; the queue is woken. What is to be drained stays for
    `excess_drained` to stop. Raises Rejected by key, and by `excess` with what would be stopped.
    """
    types, in_cohort = types_by_key(), tenant.cohort is not None
    reject({key: [_("There is no such resource type.")] for key in changes if key not in types})
    quotas.lines_ensured(tenant, list(changes))
    if tenant.cohort is not None:
        quotas.pools_ensured(tenant.cohort, list(changes))
    book = quotas.book_of([tenant], lock=True)
    old = {key: book.pair(tenant.pk, key).line.bounds for key in changes}
    new = {key: replace(old[key], **change) for key, change in changes.items()}
    wrong = {key: bound_errors(types, key, bounds, in_cohort=in_cohort) for key, bounds in new.items()}
    reject({key: next(iter(found.values())) for key, found in wrong.items() if found})
    changed = {key: bounds for key, bounds in new.items() if bounds != old[key]}
    choices: dict[str, NeedsChoice] = {}
    for key, bounds in changed.items():
        try:
            book.rebound(tenant.pk, key, bounds, keep=excess is not Excess.REFUSE)
        except NeedsChoice as choice:
            choices[key] = choice
    if choices:
        raise Rejected(_choice_errors(tenant, types, choices))
    quotas.book_write(book)
    wake(QUEUE_WAKE)
    return {key: asdict(old[key]) for key in changed}, {key: asdict(bounds) for key, bounds in changed.items()}


def excess_drained(actor: User, tenant: Tenant, keys: Iterable[str]) -> list[Victim]:
    """Stop so much work of a locked tenant that it will hold no more than it may of these types; return what is.

    In the caller's transaction. What others have borrowed of the tenant is theirs until it ends.
    """
    lines = QuotaLine.objects.filter(tenant=tenant, type__key__in=list(keys), overhang__gt=0)
    beyond = dict(lines.values_list("type__key", "overhang"))
    return drain(actor, {tenant.pk: beyond}) if beyond else []


def stopped_told(victims: Sequence[Victim]) -> dict[str, list[str]]:
    """Return what the audit trail keeps of stopped work: ids; nothing where nothing was."""
    return {"stopped": [str(victim.id) for victim in victims]} if victims else {}


@retried
def cohort_create(*, actor: User, name: str) -> Cohort:
    """Make a cohort without tenants. Raises Denied, Rejected."""
    policy.require(actor, Action.COHORT_EDIT)
    if not 0 < len(name.strip()) <= MAX_COHORT_NAME:
        raise Rejected({"name": [_("Enter a name of at most 120 characters.")]})
    try:
        with transaction.atomic():
            cohort = Cohort.objects.create(name=name.strip())
            audit.record(actor=actor, action="cohort.create", target=cohort, after={"name": cohort.name})
    except IntegrityError as error:
        raise Rejected({"name": [_("Another cohort has this name.")]}) from error
    return cohort


@retried
def cohort_delete(*, actor: User, cohort: Cohort) -> None:
    """Remove a cohort. Raises Denied, NotVisible when it is gone, and Conflict while a tenant is in it or comes in."""
    policy.require(actor, Action.COHORT_EDIT)
    with transaction.atomic():
        # Waits for tenants on their way in: each of them holds the row of its cohort.
        if not Cohort.objects.select_for_update().filter(pk=cohort.pk).exists():
            raise NotVisible
        if Tenant.objects.filter(cohort=cohort).exists():
            raise Conflict(_("Tenants are in this cohort. Take them out first."))
        audit.record(actor=actor, action="cohort.delete", target=cohort, before={"name": cohort.name})
        cohort.delete()


@retried
def cohort_of_tenant_set(*, actor: User, tenant: Tenant, cohort: Cohort | None, keep: bool = False) -> Tenant:
    """Bring a tenant into a cohort, or out of all (None). It lends and borrows nothing there until that is set.

    What it borrowed or lent may be more than is allowed then: `keep` must be said. Raises NotVisible, Denied, Rejected.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS, tenant)
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        # Several may come in at once; who removes the cohort waits, or has done so already.
        if cohort is not None and not list(Cohort.objects.select_for_update(no_key=True).filter(pk=cohort.pk)):
            raise Rejected({"cohort": [_("This cohort was removed.")]})
        if locked.cohort_id == (cohort.pk if cohort else None):
            return locked
        before = locked.cohort
        _move(locked, cohort, keep=keep)
        names = [{"cohort": found.name if found else None} for found in (before, cohort)]
        audit.record(
            actor=actor, action="tenant.cohort", target=locked, tenant_id=locked.pk, before=names[0], after=names[1]
        )
        wake(QUEUE_WAKE)
    return locked


def types_by_key() -> dict[str, ResourceType]:
    """Return all resource types. One statement."""
    return {found.key: found for found in ResourceType.objects.all()}


def amount_errors(types: Mapping[str, ResourceType], amounts: Amounts) -> dict[str, list[Text]]:
    """Return what is wrong with amounts, by key: an unknown type, or a number that is out of range."""
    errors: dict[str, list[Text]] = {}
    for key, amount in amounts.items():
        if key not in types:
            errors[key] = [_("There is no such resource type.")]
            continue
        most = specs.MOST[Unit(types[key].unit)]
        if not 0 <= amount <= most:
            errors[key] = [_("Enter a number from 0 to %(most)d.") % {"most": most}]
    return errors


def bound_errors(
    types: Mapping[str, ResourceType], key: str, bounds: Bounds, *, in_cohort: bool
) -> dict[str, list[Text]]:
    """Return what is wrong with a type's bounds, by the bound that it stands at."""
    amounts = asdict(bounds)
    wrong = {name: amount_errors(types, {key: amount}) for name, amount in amounts.items()}
    if out_of_range := {name: found[key] for name, found in wrong.items() if found}:
        return out_of_range
    problems = bounds_problems(bounds, in_cohort=in_cohort)
    alone = next((name for name in ("borrow_limit", "lend_limit") if amounts[name]), "")
    places = {"negative": "nominal", "lend_above_nominal": "lend_limit", "no_cohort": alone}
    return {places[code]: [_PROBLEMS[code]] for code in problems}


def _choice_errors(
    tenant: Tenant, types: Mapping[str, ResourceType], choices: Mapping[str, NeedsChoice]
) -> dict[str, list[Text]]:
    """Return what is held too much by key, and what of it could be stopped."""
    errors: dict[str, list[Text]] = {
        key: [needs_choice(Unit(types[key].unit), choice)] for key, choice in choices.items()
    }
    beyond = {key: choice.line_excess for key, choice in choices.items() if choice.line_excess}
    if victims := chosen({tenant.pk: beyond} if beyond else {}):
        errors["excess"] = [stopping_text(victims)]
    return errors


def stopping_text(victims: Sequence[Victim]) -> Text:
    """Return how much work would be stopped, and which, the first ten by name."""
    names = [f"{victim.name} ({victim.owner})" for victim in victims[:MOST_NAMED]]
    said = {"n": len(victims), "names": ", ".join(names) + ("…" if len(victims) > MOST_NAMED else "")}
    text = ngettext(
        "To stop what is beyond means to stop %(n)d workload, which then waits again: %(names)s",
        "To stop what is beyond means to stop %(n)d workloads, which then wait again: %(names)s",
        len(victims),
    )
    return text % said


def needs_choice(unit: Unit, choice: NeedsChoice) -> Text:
    """Return what is held too much, and that it may be kept."""
    above = {
        "tenant": amount_text(unit, choice.line_excess),
        "cohort": amount_text(unit, choice.pool_excess),
    }
    if choice.line_excess:
        return _("%(tenant)s more than this is held now. Choose to keep it until its work ends, or to stop it.") % above
    return _("%(cohort)s more than this is lent now. Choose to keep it until its work ends.") % above


def _move(tenant: Tenant, cohort: Cohort | None, *, keep: bool) -> None:
    book = quotas.book_of([tenant])
    if cohort is not None:
        quotas.pools_ensured(cohort, book.keys_of(tenant.pk))
    book = quotas.book_of([tenant], lock=True, cohort_ids=[cohort.pk] if cohort else [])
    try:
        if tenant.cohort_id is not None:
            book.part(tenant.pk, keep=keep)
    except NeedsChoice as choice:
        text = _("More is lent or borrowed than would be allowed then. Choose to keep it until its work ends.")
        raise Rejected({"cohort": [text]}) from choice
    if cohort is not None:
        book.join(tenant.pk, cohort.pk)
    quotas.book_write(book)
    tenant.cohort = cohort
    tenant.save(update_fields=["cohort"])
