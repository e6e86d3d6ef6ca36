"""Reads of templates for pages, REST and submissions, and who may do what with one. Each says what it costs in SQL."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, Exists, F, Func, IntegerField, Model, OuterRef, Q, QuerySet, Subquery, Value, When

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import AuditEntry, User
from portal.core.policy import Action
from tenants.models import Tenant
from tenants.roles import grants_in, role_in
from workloads import images
from workloads.models import Template, TemplateVersion, Workload
from workloads.specs import JobSpec, Problem, Visibility, spec_json, spec_of

PAGE_ROWS = 50
MOST_TILES = 24
MOST_VERSIONS = 200
MOST_USES_COUNTED = 100
MOST_RECENT = 8
HISTORY_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list of templates shows; the defaults show all that are not archived."""

    text: str = ""
    visibility: str = ""
    tenant: str = ""  # a slug
    mine: bool = False
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some templates by title, and the ids between which the neighbouring pages lie (None where there is none)."""

    rows: Sequence[Template]
    before: uuid.UUID | None
    after: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What a submission was started from; nothing by default."""

    template_id: uuid.UUID | None = None
    number: int | None = None


def grants_on_template(user: User, obj: Model) -> frozenset[Action]:
    """Return what somebody's membership grants on a template; its tenant must be loaded.

    An owner may edit theirs. What everybody uses is changed by platform admins alone. What is shown to its owner only
    is hidden from others but for those who may edit all of the tenant.
    """
    template: Template = obj  # type: ignore[assignment]
    if user.is_platform_admin:
        return frozenset()  # all is granted already; memberships need not be read
    granted = grants_in(user, template.tenant) if template.tenant else frozenset()
    own = template.owner_id == user.pk
    if template.visibility == Visibility.PUBLIC:
        return (granted - {Action.TEMPLATE_EDIT, Action.TEMPLATE_SHARE}) | {Action.TEMPLATE_VIEW}
    if own and Action.TEMPLATE_CREATE in granted:
        return granted | {Action.TEMPLATE_EDIT}
    hidden = template.visibility == Visibility.OWN and not own and Action.TEMPLATE_EDIT not in granted
    return frozenset() if hidden else granted


def shows_people(user: User, template: Template) -> bool:
    """Tell whether somebody may know who made a template: those of its tenant, and the platform's people."""
    if user.is_platform_admin or user.is_auditor or template.tenant is None:
        return True
    return role_in(user, template.tenant) is not None


def template_rows(*, user: User, wanted: Wanted) -> QuerySet[Template]:
    """Return the templates that somebody may see, with current version and tenant loaded; without specs."""
    rows = Template.objects.visible_to(user).filter(current__isnull=False, archived_at__isnull=not wanted.archived)
    if wanted.text:
        mentions = Q(current__title__icontains=wanted.text) | Q(current__summary__icontains=wanted.text)
        rows = rows.filter(mentions | Q(slug__icontains=wanted.text))
    if wanted.mine:
        rows = rows.filter(owner=user)
    if wanted.visibility:
        rows = rows.filter(visibility=wanted.visibility)
    if wanted.tenant:
        rows = rows.filter(tenant__slug=wanted.tenant)
    return rows.select_related("tenant", "owner", "current", "current__author").defer("current__spec")


def template_page(
    *,
    user: User,
    wanted: Wanted,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    limit: int = PAGE_ROWS,
) -> Page:
    """Return a page of templates by title, each with `uses`. One statement; what counts is what the user may see."""
    rows = template_rows(user=user, wanted=wanted).annotate(uses=uses_by(user))
    if before:
        found = list(rows.filter(_beside(before, "lt")).order_by("-current__title", "-id")[: limit + 1])
        more, found = len(found) > limit, found[:limit][::-1]
        return Page(found, found[0].pk if more else None, found[-1].pk if found else None)
    placed = rows.filter(_beside(after, "gt")) if after else rows
    found = list(placed.order_by("current__title", "id")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(found, found[0].pk if found and after else None, found[-1].pk if more else None)


def uses_by(user: User) -> Func:
    """Return the expression for how many workloads that somebody may see came of a template, counted up to 100."""
    made = Workload.objects.visible_to(user).filter(made_from=OuterRef("pk")).values("pk")[:MOST_USES_COUNTED]
    return Func(ArraySubquery(made), function="cardinality", output_field=IntegerField())


def template_get(*, user: User, template_id: uuid.UUID) -> Template:
    """Return a template, archived or not, with `uses`; raises NotVisible if missing or foreign. One statement."""
    rows = Template.objects.visible_to(user).filter(pk=template_id, current__isnull=False)
    found = rows.select_related("tenant", "owner", "current", "current__author").annotate(uses=uses_by(user)).first()
    if found is None:
        raise NotVisible
    return found


def template_seen(*, user: User, template_id: uuid.UUID | None) -> Template | None:
    """Return the template of a workload where its reader may see it. One statement, none without a template."""
    if template_id is None:
        return None
    rows = Template.objects.visible_to(user).select_related("tenant", "current").defer("current__spec")
    return rows.filter(pk=template_id, current__isnull=False).first()


def version_get(*, template: Template, number: int) -> TemplateVersion:
    """Return a version with its author; raises NotVisible where there is none. One statement, none for the current."""
    if template.current is not None and template.current.number == number:
        return template.current
    found = template.versions.select_related("author").filter(number=number).first()
    if found is None:
        raise NotVisible
    return found


def origin_version(*, user: User, workload: Workload) -> TemplateVersion | None:
    """Return the version that a workload was started from, where its reader may see it. One statement at most."""
    number = workload.spec.get("template_version")
    if workload.made_from_id is None or not number:
        return None
    seen = Template.objects.visible_to(user).filter(pk=workload.made_from_id)
    return TemplateVersion.objects.filter(template__in=seen, number=number).first()


def versions_of(template: Template, *, whole: int | None = None) -> list[TemplateVersion]:
    """Return a template's versions, newest first, without their specs but for that of the number `whole`.

    One statement.
    """
    rows = template.versions.select_related("author").defer("spec").order_by("-number")
    versions = list(rows.annotate(whole_spec=Case(When(number=whole or 0, then=F("spec"))))[:MOST_VERSIONS])
    for version in versions:
        if version.number == whole:
            version.spec = version.whole_spec
    return list(versions)


def recent_uses(*, user: User, template: Template) -> list[Workload]:
    """Return the newest workloads from a template that somebody may see, without their specs. One statement."""
    rows = Workload.objects.visible_to(user).filter(made_from=template).select_related("tenant", "owner")
    return list(rows.annotate(number=F("spec__template_version")).defer("spec").order_by("-created")[:MOST_RECENT])


def template_history(*, user: User, template: Template) -> QuerySet[AuditEntry]:
    """Return what was done to a template, newest first; for those who may edit it. Raises NotVisible, Denied."""
    policy.require(user, Action.TEMPLATE_EDIT, template)
    about = AuditEntry.objects.filter(target_type="workloads.template", target_id=str(template.pk))
    return about.order_by("-id")


def usable_in(*, user: User, tenant: Tenant) -> QuerySet[Template]:
    """Return the templates that somebody may start from in a tenant, archived or not."""
    rows = Template.objects.visible_to(user).filter(current__isnull=False)
    return rows.filter(Q(visibility=Visibility.PUBLIC) | Q(tenant=tenant)).select_related("tenant", "current")


def tiles(*, user: User, tenant: Tenant) -> list[Template]:
    """Return what the submit form offers in a tenant: one's own, then the tenant's, then everybody's. One statement."""
    return list(_offered(user, tenant).defer("current__spec")[:MOST_TILES])


def first_tile(*, user: User, tenant: Tenant) -> Template | None:
    """Return the first of the tiles with its spec, None where there are none. One statement."""
    return _offered(user, tenant).first()


def first_templates(*, user: User, limit: int = 3) -> list[Template]:
    """Return templates for somebody who has never submitted anything; none for others. One statement."""
    submitted = Workload.objects.filter(owner=user)
    rows = Template.objects.visible_to(user).filter(current__isnull=False, archived_at__isnull=True)
    rows = rows.filter(tenant__isnull=True).filter(~Exists(submitted)).select_related("current", "tenant")
    return list(rows.order_by("position", "current__title")[:limit])


def named(*, user: User, tenant: Tenant, ref: str) -> Template | None:
    """Return the template that a reference names in a tenant, None where there is none to use. One statement."""
    return usable_in(user=user, tenant=tenant).filter(_is(ref)).first()


def origin_of(*, user: User, tenant: Tenant, spec: JobSpec, parent: Workload | None = None) -> Origin | Problem:
    """Return the template and version that a submission names; its newest one where it says none.

    What the parent came of needs no right of one's own: who may see the parent has all that the template says. One
    statement at most.
    """
    if not spec.template:
        return Origin()
    if parent is not None and _same(parent.spec, spec):
        return Origin(parent.made_from_id, spec.template_version)
    rows = usable_in(user=user, tenant=tenant).filter(_is(spec.template)).defer("current__spec")
    asked = TemplateVersion.objects.filter(template=OuterRef("pk"), number=spec.template_version or 0)
    found = rows.annotate(has_version=Exists(asked)).first()
    if found is None or found.current is None:
        return Problem("template", "unknown_template")
    if spec.template_version is None:
        return Origin(found.pk, found.current.number)
    known = found.has_version
    return Origin(found.pk, spec.template_version) if known else Problem("template_version", "unknown_version")


def starting_spec(template: Template, version: TemplateVersion) -> dict[str, Any]:
    """Return what a form is filled with from a version: its spec with the image that it means, and where it is from."""
    return {**plain_spec(version), "template": template.ref, "template_version": version.number}


def plain_spec(version: TemplateVersion) -> dict[str, Any]:
    """Return what a version says, each field of a spec said, with the image that it means."""
    spec = spec_json(spec_of(images.resolved(version.spec, images.known_images())))
    return {name: value for name, value in spec.items() if name not in ("template", "template_version")}


def _is(ref: str) -> Q:
    tenant, slash, slug = ref.rpartition("/")
    return Q(slug=slug, tenant__slug=tenant) if slash else Q(slug=ref, tenant__isnull=True)


def _same(stored: Mapping[str, Any], spec: JobSpec) -> bool:
    return stored.get("template") == spec.template and stored.get("template_version") == spec.template_version


def _beside(template_id: uuid.UUID, side: str) -> Q:
    """Return the condition for templates beyond one, in the order of titles."""
    title = Subquery(Template.objects.filter(pk=template_id).values("current__title")[:1])
    tied = Q(current__title=title, **{f"id__{side}": Value(template_id)})
    return Q(**{f"current__title__{side}": title}) | tied


def _offered(user: User, tenant: Tenant) -> QuerySet[Template]:
    near = Case(When(owner=user, then=0), When(visibility=Visibility.TENANT, then=1), default=2)
    rows = usable_in(user=user, tenant=tenant).filter(archived_at__isnull=True)
    shown = rows.filter(Q(owner=user) | ~Q(visibility=Visibility.OWN))
    return shown.order_by(near, "position", "current__title", "id")
