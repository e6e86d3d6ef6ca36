"""Quotas of many tenants in one step: what a change would do, and the change itself, all of it or nothing.

Both go the same way over a `Book`: the first over one that is not locked and is thrown away.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from portal.core import audit, policy
from portal.core.errors import Conflict, Rejected, Text
from portal.core.hints import wake
from portal.core.models import AuditEntry, User
from portal.core.policy import Action
from portal.core.transactions import retried
from tenants import quotas
from tenants.drains import Victim, chosen, drain
from tenants.ledger import Book, Bounds, NeedsChoice, Pair, Pool
from tenants.models import Cohort, ResourceType, Tenant
from tenants.quotaservices import bound_errors, needs_choice, stopped_told, types_by_key
from tenants.specs import QUEUE_WAKE, Excess, Unit

MOST_LINES = 20_000
EXCESS = "excess"  # where it is said that a choice is wanted

Line = tuple[str, str]  # a tenant's slug and the key of a resource type
Wanted = Mapping[Line, Mapping[str, int]]  # the bounds to set there, named as `Bounds` has them; others stay
Errors = Mapping[Line, Mapping[str, list[Text]]]  # what is wrong there, by "tenant", "type", a bound's name or EXCESS


class LinesRejected(Rejected):
    """Some of many lines are not acceptable; then none is taken."""

    def __init__(self, lines: Errors) -> None:
        named = {f"{slug}.{key}.{at}": texts for (slug, key), found in lines.items() for at, texts in found.items()}
        super().__init__(named)
        self.lines = lines

    def beside_choice(self) -> Errors:
        """Return what is wrong but for a choice that was not made."""
        rest = {line: {at: texts for at, texts in found.items() if at != EXCESS} for line, found in self.lines.items()}
        return {line: found for line, found in rest.items() if found}


@dataclass(frozen=True, slots=True)
class LineChange:
    """A tenant's line of a type with the pool behind it, before a change and after all of it."""

    tenant: Tenant
    type: ResourceType
    before: Pair
    after: Pair

    @property
    def kept(self) -> int:
        """What would be held beyond the limits and is not yet: it may only be used up."""
        return max(0, self.after.line.overhang - self.before.line.overhang)

    @property
    def kept_in_cohort(self) -> int:
        """What would be lent beyond what the cohort lends then, and is not yet; 0 where this line is no cause."""
        if self.before.pool is None or self.after.pool is None:
            return 0
        lends_less = self.after.line.bounds.lend_limit < self.before.line.bounds.lend_limit
        if not lends_less and self.after.line.pooled <= self.before.line.pooled:
            return 0
        return max(0, self.after.pool.overhang - self.before.pool.overhang)


@dataclass(frozen=True, slots=True)
class PoolChange:
    """What a cohort lends of a type, before and after."""

    cohort: str
    type: ResourceType
    before: Pool
    after: Pool


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change does. `version` names the bounds that it starts from, of the lines that change.

    `stops` is the work that is stopped if what is held beyond the limits is to be drained.
    """

    lines: list[LineChange]
    pools: list[PoolChange]
    version: str
    stops: Sequence[Victim] = ()

    @property
    def excessive(self) -> list[LineChange]:
        """The lines after which more is held than is allowed and was before."""
        return [line for line in self.lines if line.kept or line.kept_in_cohort]

    @property
    def beyond(self) -> dict[UUID, dict[str, int]]:
        """What each tenant would hold beyond its own limits of the types that change."""
        found: dict[UUID, dict[str, int]] = {}
        for line in self.lines:
            if line.after.line.overhang:
                found.setdefault(line.tenant.pk, {})[line.type.key] = line.after.line.overhang
        return found

    @property
    def bounds(self) -> dict[tuple[UUID, str], Bounds]:
        """The bounds that change, by tenant and type."""
        return {(line.tenant.pk, line.type.key): line.after.line.bounds for line in self.lines}


def quotas_preview(*, actor: User, wanted: Wanted) -> Preview:
    """Return what setting these bounds would do. Nothing is written; six statements. Raises Denied, LinesRejected."""
    policy.require(actor, Action.TENANT_EDIT_LIMITS)
    tenants = list(Tenant.objects.filter(slug__in=_slugs(wanted)))
    found = _rebound(tenants, wanted, quotas.book_of(tenants))
    return replace(found, stops=chosen(found.beyond))


@retried
def quotas_set(*, actor: User, wanted: Wanted, seen: str | None = None, excess: Excess = Excess.REFUSE) -> Preview:
    """Set these bounds; return what that did. The queue is woken and the namespaces follow.

    `seen` is the version of a preview: with one that is not of now, raises Conflict. Where more is held than would be
    allowed, `excess` must say what becomes of it (see `quota_set`). Raises Denied, LinesRejected; then nothing is
    written. A constant number of statements.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS)
    with transaction.atomic():
        tenants = quotas.tenants_locked(Tenant.objects.filter(slug__in=_slugs(wanted)).values_list("pk", flat=True))
        ids = {tenant.slug: tenant.pk for tenant in tenants}
        quotas.rows_ensured(tenants, {(ids[slug], key) for slug, key in wanted if slug in ids})
        book = quotas.book_of(tenants, lock=True)
        done = _rebound(tenants, wanted, book)
        if seen is not None and seen != done.version:
            raise Conflict(_("These quotas were changed meanwhile. Look again at what your change does."))
        if done.excessive and excess is Excess.REFUSE:
            raise LinesRejected({_line(found): {EXCESS: [_excess(found)]} for found in done.excessive})
        quotas.book_write(book)
        stopped = drain(actor, done.beyond) if excess is Excess.DRAIN else []
        _record(actor, done.lines, stopped)
        wake(QUEUE_WAKE)
    return replace(done, stops=stopped)


def _slugs(wanted: Wanted) -> set[str]:
    if len(wanted) > MOST_LINES:
        text = _("At most %(most)d lines can be changed at once.") % {"most": MOST_LINES}
        raise Rejected({"": [text]})
    return {slug for slug, _key in wanted}


def _rebound(tenants: Collection[Tenant], wanted: Wanted, book: Book) -> Preview:
    """Set the bounds in a book; return what changed by it. Raises LinesRejected."""
    types, by_slug = types_by_key(), {tenant.slug: tenant for tenant in tenants}
    first, errors = book.copy(), {}
    new: dict[Line, Bounds] = {}
    for (slug, key), changes in wanted.items():
        if missing := _missing(slug in by_slug, key in types):
            errors[slug, key] = missing
            continue
        tenant = by_slug[slug]
        old = first.pair(tenant.pk, key).line.bounds
        bounds = replace(old, **changes)
        if bounds != old and (wrong := bound_errors(types, key, bounds, in_cohort=tenant.cohort_id is not None)):
            errors[slug, key] = wrong
        new[slug, key] = bounds
    if errors:
        raise LinesRejected(errors)
    for (slug, key), bounds in new.items():
        book.rebound(by_slug[slug].pk, key, bounds, keep=True)
    pairs = [(by_slug[slug], types[key]) for slug, key in new]
    both = [
        LineChange(tenant, found, *(at.pair(tenant.pk, found.key) for at in (first, book))) for tenant, found in pairs
    ]
    changed = [line for line in both if line.before.line.bounds != line.after.line.bounds]
    return Preview(changed, _pools(changed), _version(changed))


def _missing(tenant_known: bool, type_known: bool) -> dict[str, list[Text]]:
    errors: dict[str, list[Text]] = {}
    if not tenant_known:
        errors["tenant"] = [_("There is no such tenant.")]
    if not type_known:
        errors["type"] = [_("There is no such resource type.")]
    return errors


def _pools(lines: Iterable[LineChange]) -> list[PoolChange]:
    """Return the pools that change, by cohort and type. One statement, none without a cohort."""
    found: dict[tuple[UUID, str], tuple[ResourceType, Pool, Pool]] = {}
    for line in lines:
        cohort, before, after = line.tenant.cohort_id, line.before.pool, line.after.pool
        if cohort is not None and before is not None and after is not None and before != after:
            found[cohort, line.type.key] = (line.type, before, after)
    names = Cohort.objects.in_bulk({cohort for cohort, _key in found}) if found else {}
    changes = [PoolChange(names[cohort].name, *rest) for (cohort, _key), rest in found.items()]
    return sorted(changes, key=lambda change: (change.cohort, change.type.position, change.type.key))


def _version(lines: Iterable[LineChange]) -> str:
    """Return what names the bounds that a change starts from, and the cohorts that it happens in."""
    told = [(line.tenant.slug, line.type.key, str(line.tenant.cohort_id), line.before.line.bounds) for line in lines]
    return hashlib.sha256(repr(sorted(told, key=lambda found: found[:2])).encode()).hexdigest()


def _line(change: LineChange) -> Line:
    return change.tenant.slug, change.type.key


def _excess(change: LineChange) -> Text:
    return needs_choice(Unit(change.type.unit), NeedsChoice(change.kept, change.kept_in_cohort))


def _record(actor: User, lines: Iterable[LineChange], stopped: Iterable[Victim]) -> None:
    """Append an entry to the audit trail for each tenant. One statement."""
    by_tenant: dict[UUID, list[LineChange]] = {}
    for line in lines:
        by_tenant.setdefault(line.tenant.pk, []).append(line)
    victims: dict[UUID, list[Victim]] = {}
    for victim in stopped:
        victims.setdefault(victim.tenant_id, []).append(victim)
    audit.record_all(_entry(actor, changed, victims.get(tenant_id, [])) for tenant_id, changed in by_tenant.items())


def _entry(actor: User, changed: list[LineChange], stopped: list[Victim]) -> AuditEntry:
    before = {line.type.key: asdict(line.before.line.bounds) for line in changed}
    after = {line.type.key: asdict(line.after.line.bounds) for line in changed}
    tenant, said = changed[0].tenant, {"quota": after, **stopped_told(stopped)}
    return audit.entry(
        actor=actor, action="tenant.quota", target=tenant, tenant_id=tenant.pk, before={"quota": before}, after=said
    )
