"""What people do to templates: policy, rows, audit. A version is never changed; an edit is the next one."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from portal.core import audit, policy
from portal.core.errors import Conflict, NotVisible, Rejected, Text
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import Tenant
from workloads import images, specs
from workloads.explain import problem_texts
from workloads.extras import extras_of
from workloads.models import Template, TemplateVersion
from workloads.services import tenant_problems
from workloads.specs import JobSpec, Visibility

DEFAULT_ICON = "file-text"
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NOT_KEPT = ("template", "template_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a version is to say. `base`: the version that it was made from; its alias of an image is kept."""

    title: str
    summary: str
    spec: JobSpec
    note: str = ""
    base: TemplateVersion | None = None


def template_create(*, actor: User, tenant: Tenant, draft: Draft, slug: str = "") -> Template:
    """Make a template of a tenant that only the actor sees until it is shared; without a slug one is made of the title.

    Raises NotVisible, Denied, Rejected by field.
    """
    policy.require(actor, Action.TEMPLATE_CREATE, tenant)
    _reject_draft(draft, tenant, slug=slug)
    with transaction.atomic():
        Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)  # slugs of a tenant are given one by one
        template = Template.objects.create(tenant=tenant, owner=actor, slug=_free_slug(tenant, slug, draft.title))
        version = _add_version(actor, template, draft, number=1)
        _record(actor, template, "template.create", after={"slug": template.slug, "title": version.title})
    return template


def template_new_version(
    *, actor: User, template: Template, draft: Draft, seen: int | None = None
) -> tuple[TemplateVersion, bool]:
    """Make the next version the current one, or return the current one where nothing differs (then False).

    `seen` is the number that the actor had before their eyes. Raises NotVisible, Denied, Rejected by field, and
    Conflict where the template is archived or got another version since.
    """
    policy.require(actor, Action.TEMPLATE_EDIT, template)
    _reject_draft(draft, template.tenant)
    with transaction.atomic():
        locked = _locked(template)
        current = locked.current
        if current is None:
            raise NotVisible
        if locked.archived_at is not None:
            raise Conflict(_("It is archived. Bring it back before you change it."))
        if seen is not None and seen != current.number:
            raise Conflict(
                _("Version %(number)d was saved meanwhile. Open it before you change it.") % {"number": current.number}
            )
        if _content(draft) == _content_of(current):
            return current, False
        latest = locked.versions.aggregate(latest=Max("number"))["latest"]
        version = _add_version(actor, locked, draft, number=latest + 1)
        _record(
            actor,
            locked,
            "template.version",
            before={"version": current.number, "digest": current.digest},
            after={"version": version.number, "digest": version.digest, "note": version.note},
        )
    return version, True


def template_show_to(*, actor: User, template: Template, visibility: Visibility) -> Template:
    """Say who may see and use a template. Its owner takes it back, tenant admins share it, platform admins publish it.

    Raises NotVisible, Denied, and Conflict for what comes with Berth.
    """
    policy.require(actor, _needed_to_show(template, visibility), template)
    with transaction.atomic():
        locked = _locked(template)
        if locked.tenant_id is None:
            raise Conflict(_("It comes with Berth and is for everyone. Archive it to take it out of the form."))
        policy.require(actor, _needed_to_show(locked, visibility), locked)
        if locked.visibility == visibility:
            return locked
        before, locked.visibility = locked.visibility, visibility.value
        locked.save(update_fields=["visibility"])
        _record(
            actor,
            locked,
            "template.show_to",
            before={"visibility": before},
            after={"visibility": visibility.value},
        )
    return locked


def may_show_to(actor: User, template: Template, visibility: str) -> bool:
    """Tell whether `template_show_to` lets somebody choose this. No statement where roles are known."""
    return template.tenant is not None and policy.allowed(actor, _needed_to_show(template, visibility), template)


def template_archive(*, actor: User, template: Template) -> Template:
    """Take a template out of lists and the submit form; its pages stay. Twice is the same as once.

    Raises NotVisible, Denied.
    """
    return _set_archived(actor, template, archived_at=timezone.now())


def template_unarchive(*, actor: User, template: Template) -> Template:
    """Bring an archived template back. Twice is the same as once. Raises NotVisible, Denied."""
    return _set_archived(actor, template, archived_at=None)


def stored_spec(draft: Draft) -> dict[str, Any]:
    """Return a draft's spec as a version keeps it: without what it came from, with its base's alias of an image."""
    spec = {name: value for name, value in specs.spec_json(draft.spec).items() if name not in _NOT_KEPT}
    return images.with_alias(spec, draft.base.spec, images.known_images()) if draft.base else spec


def _set_archived(actor: User, template: Template, archived_at: dt.datetime | None) -> Template:
    policy.require(actor, Action.TEMPLATE_EDIT, template)
    with transaction.atomic():
        locked = _locked(template)
        if (locked.archived_at is None) == (archived_at is None):
            return locked
        locked.archived_at = archived_at
        locked.save(update_fields=["archived_at"])
        _record(actor, locked, "template.archive" if archived_at else "template.unarchive")
    return locked


def _needed_to_show(template: Template, visibility: str) -> Action:
    if Visibility.PUBLIC in {template.visibility, visibility}:
        return Action.TEMPLATE_PUBLISH
    widens = visibility == Visibility.TENANT and template.visibility == Visibility.OWN
    return Action.TEMPLATE_SHARE if widens else Action.TEMPLATE_EDIT


def _locked(template: Template) -> Template:
    rows = Template.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "tenant", "current", "current__author"
    )
    return rows.get(pk=template.pk)


def _add_version(actor: User, template: Template, draft: Draft, *, number: int) -> TemplateVersion:
    content = _content(draft)
    version = TemplateVersion.objects.create(
        template=template,
        number=number,
        author=actor,
        note=draft.note.strip(),
        icon=draft.base.icon if draft.base else DEFAULT_ICON,
        digest=specs.digest_of(content),
        **content,
    )
    template.current = version
    template.save(update_fields=["current"])
    return version


def _content(draft: Draft) -> dict[str, Any]:
    return {"title": draft.title.strip(), "summary": draft.summary.strip(), "spec": stored_spec(draft)}


def _content_of(version: TemplateVersion) -> dict[str, Any]:
    """Return what a version says, with every field of a spec said; what is shipped leaves some out."""
    spec = specs.spec_of(images.resolved(version.spec, {}) | {"image": "-"})
    full = {name: value for name, value in specs.spec_json(spec).items() if name not in _NOT_KEPT}
    kept = {name: version.spec[name] for name in ("image", "image_public") if name in version.spec}
    return {"title": version.title, "summary": version.summary, "spec": full | kept}


def _free_slug(tenant: Tenant, asked: str, title: str) -> str:
    base = asked or slugify(title)[: specs.MAX_TEMPLATE_SLUG - 6].strip("-_").replace("_", "-") or "template"
    taken = set(Template.objects.filter(tenant=tenant, slug__startswith=base).values_list("slug", flat=True))
    if base not in taken:
        return base
    if asked:
        raise Rejected({"slug": [_("Another template of the tenant has this slug.")]})
    return next(slug for n in range(2, len(taken) + 3) if (slug := f"{base}-{n}") not in taken)


def _reject_draft(draft: Draft, tenant: Tenant | None, *, slug: str = "") -> None:
    problems = [
        *specs.spec_problems(draft.spec),
        *(tenant_problems(tenant, draft.spec, extras_of(draft.spec.resources)) if tenant else []),
    ]
    errors: dict[str, list[Text]] = {field: list(texts) for field, texts in problem_texts(problems).items()}
    errors |= _text_errors("title", draft.title, specs.MAX_TEMPLATE_TITLE, required=True)
    errors |= _text_errors("summary", draft.summary, specs.MAX_TEMPLATE_SUMMARY)
    errors |= _text_errors("note", draft.note, specs.MAX_TEMPLATE_NOTE)
    if slug and not (_SLUG.fullmatch(slug) and len(slug) <= specs.MAX_TEMPLATE_SLUG):
        errors["slug"] = [_("Use 1 to 60 small letters, digits and inner hyphens.")]
    if errors:
        raise Rejected(errors)


def _text_errors(field: str, text: str, most: int, *, required: bool = False) -> dict[str, list[Text]]:
    stripped = text.strip()
    if required and not stripped:
        return {field: [_("Enter a value.")]}
    if len(stripped) > most or "\0" in text:
        return {field: [_("Enter a text of at most %(most)d characters.") % {"most": most}]}
    return {}


def _record(actor: User, template: Template, action: str, **values: Any) -> None:
    audit.record(actor=actor, action=action, target=template, tenant_id=template.tenant_id, **values)
