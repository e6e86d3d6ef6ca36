"""Pages of templates. A handler parses, asks one selector or service, and renders."""

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core import policy
from portal.core.errors import Conflict, NotVisible, Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants.choices import PRIORITY_CHOICES
from tenants.history import Told, told_entries
from tenants.models import ResourceType, Tenant
from tenants.selectors import has_quota, quota_lines, resource_types
from tenants.specs import GPUS
from workloads import comparison, presentation, selectors, templatereads, templating
from workloads.choices import VISIBILITY_CHOICES
from workloads.compare import spec_differences
from workloads.extras import keys_in, types_offered
from workloads.models import Template, TemplateVersion
from workloads.specs import MAX_TEMPLATE_VERSION, Visibility
from workloads.templateforms import TemplateForm, first_values
from workloads.templatereads import Wanted

MOST_TEXT = 100
_AUDIENCES = (Visibility.TENANT.value, Visibility.PUBLIC.value)
MAX_NUMBER_DIGITS = len(str(MAX_TEMPLATE_VERSION))


@route(Action.TEMPLATE_VIEW)
@require_GET
def templates(request: HttpRequest) -> HttpResponse:
    user = person(request)
    which = request.GET.get("which", "")
    text = request.GET.get("q", "").replace("\0", "").strip()[:MOST_TEXT]
    audience = which if which in _AUDIENCES else ""
    wanted = Wanted(text=text, visibility=audience, mine=which == "mine", archived=which == "archived")
    after, before = (_id(request.GET.get(name, "")) for name in ("after", "before"))
    page = templatereads.template_page(user=user, wanted=wanted, after=after, before=before)
    context = {
        "rows": [_row(user, template) for template in page.rows],
        "filters": _filters(which, text),
        "which": which,
        "text": text,
        "previous_url": _query(q=text, which=which, before=page.before),
        "next_url": _query(q=text, which=which, after=page.after),
        "may_create": selectors.may_submit_somewhere(user),
        "counted": templatereads.MOST_USES_COUNTED,
    }
    return render(request, "workloads/templates.html", context)


@route(Action.TEMPLATE_VIEW)
@require_GET
def detail(request: HttpRequest, template_id: uuid.UUID, number: int | None = None) -> HttpResponse:
    user = person(request)
    template = templatereads.template_get(user=user, template_id=template_id)
    versions = templatereads.versions_of(template, whole=number)
    version = next((found for found in versions if found.number == number), None) or _version(template, number)
    may_edit, spec = policy.allowed(user, Action.TEMPLATE_EDIT, template), templatereads.plain_spec(version)
    context = {
        **_about(user, template),
        "version": version,
        "versions": [(other, other.number - 1) for other in versions],
        "spec": spec,
        "priority_text": dict(PRIORITY_CHOICES)[spec["priority"]],
        "command": presentation.command_text(version.spec),
        "recent": presentation.told_all(templatereads.recent_uses(user=user, template=template)),
        "counted": templatereads.MOST_USES_COUNTED,
        "may_use": selectors.may_submit_somewhere(user) and template.archived_at is None,
        "use_tenant": _use_tenant(user, template),
        "may_edit": may_edit,
        "may_copy": selectors.may_submit_somewhere(user),
        "audiences": _audiences(user, template),
        "history": _history(user, template) if may_edit else [],
    }
    return render(request, "workloads/template.html", context)


@route(Action.TEMPLATE_VIEW)
@require_GET
def compare(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    template = templatereads.template_get(user=user, template_id=template_id)
    left, right = (_version(template, _number(request.GET.get(name, ""))) for name in ("a", "b"))
    texts = {version: {"title": version.title, "summary": version.summary} for version in (left, right)}
    differences = spec_differences(*(texts[version] | templatereads.plain_spec(version) for version in (left, right)))
    context = {
        **_about(user, template),
        "pair": [left, right],
        "versions": templatereads.versions_of(template),
        "rows": comparison.rows_of(differences),
        "script": comparison.script_of(differences),
        "same": not differences,
    }
    return render(request, "workloads/template_compare.html", context)


@route(Action.TEMPLATE_CREATE)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make a template: of a workload, of another template, or from nothing."""
    user = person(request)
    base, first, slug = _source(request, user)
    tenant = selectors.submit_tenant(user=user, slug=slug)
    if tenant is None:
        return render(request, "workloads/no_tenant.html")
    policy.require(user, Action.TEMPLATE_CREATE, tenant)
    form = TemplateForm(request.POST or None, initial=first, types=_types(tenant, first, request.POST))
    if request.method == "POST" and form.is_valid():
        try:
            made = templating.template_create(actor=user, tenant=tenant, draft=form.draft(base))
        except Rejected as rejected:
            form.reject(rejected)
        else:
            messages.success(
                request, _("“%(title)s” is saved. Only you and admins see it.") % {"title": form.cleaned_data["title"]}
            )
            return redirect("templates:detail", made.pk)
    tenants = selectors.submit_tenants(user=user)
    return _form_page(request, form, {"tenant": tenant, "tenants": tenants})


@route(Action.TEMPLATE_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    """Write the next version, starting from the newest or from the one that the query names."""
    user = person(request)
    template = templatereads.template_get(user=user, template_id=template_id)
    policy.require(user, Action.TEMPLATE_EDIT, template)
    base = _version(template, _number(request.GET.get("from", "")))
    newest = _version(template, None)
    spec = templatereads.plain_spec(base)
    first = first_values(spec, title=base.title, summary=base.summary, seen=newest.number)
    form = TemplateForm(request.POST or None, initial=first, types=_types(template.tenant, first, request.POST))
    if request.method == "POST" and form.is_valid() and _saved(request, form, template, base):
        return redirect("templates:detail", template.pk)
    return _form_page(request, form, {**_about(user, template), "tenant": template.tenant, "base": base})


@route(Action.TEMPLATE_EDIT)
@require_POST
def show_to(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    template = templatereads.template_get(user=user, template_id=template_id)
    asked = request.POST.get("visibility", "")
    if asked not in set(Visibility):
        raise Rejected({"visibility": [_("Choose one of those shown.")]})
    try:
        templating.template_show_to(actor=user, template=template, visibility=Visibility(asked))
    except Conflict as conflict:
        messages.warning(request, str(conflict.message))
    else:
        messages.success(request, _("Who may use it is set."))
    return redirect("templates:detail", template.pk)


@route(Action.TEMPLATE_EDIT)
@require_POST
def archive(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    templating.template_archive(actor=user, template=templatereads.template_get(user=user, template_id=template_id))
    messages.success(request, _("It is archived: lists and the submit form no longer show it."))
    return redirect("templates:detail", template_id)


@route(Action.TEMPLATE_EDIT)
@require_POST
def unarchive(request: HttpRequest, template_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    templating.template_unarchive(actor=user, template=templatereads.template_get(user=user, template_id=template_id))
    messages.success(request, _("It is back."))
    return redirect("templates:detail", template_id)


def _row(user: User, template: Template) -> dict[str, Any]:
    return {**_about(user, template), "version": template.current, "use_tenant": _use_tenant(user, template)}


def _about(user: User, template: Template) -> dict[str, Any]:
    return {"template": template, "newest": template.current, "people": templatereads.shows_people(user, template)}


def _version(template: Template, number: int | None) -> TemplateVersion:
    """Return the version of a number, the newest without one. Raises NotVisible."""
    if template.current is None:
        raise NotVisible
    return templatereads.version_get(template=template, number=template.current.number if number is None else number)


def _source(request: HttpRequest, user: User) -> tuple[TemplateVersion | None, dict[str, Any], str]:
    """Return what a new template is made of: a version whose image's alias is kept, first values, and the tenant."""
    slug = request.GET.get("tenant", "")
    if source_id := _id(request.GET.get("workload", "")):
        workload = selectors.workload_get(user=user, workload_id=source_id)
        origin = templatereads.origin_version(user=user, workload=workload)
        return origin, first_values(workload.spec, title=workload.name), workload.tenant.slug
    if template_id := _id(request.GET.get("template", "")):
        template = templatereads.template_get(user=user, template_id=template_id)
        base = _version(template, _number(request.GET.get("version", "")))
        home = template.tenant.slug if template.tenant and templatereads.shows_people(user, template) else ""
        first = first_values(templatereads.plain_spec(base), title=base.title_text, summary=base.summary_text)
        return base, first, slug or home
    return None, first_values({}), slug


def _saved(request: HttpRequest, form: TemplateForm, template: Template, base: TemplateVersion) -> bool:
    """Save the next version; False where the form has to be shown again."""
    seen = form.cleaned_data["seen"]
    try:
        version, made = templating.template_new_version(
            actor=person(request), template=template, draft=form.draft(base), seen=seen
        )
    except Rejected as rejected:
        form.reject(rejected)
        return False
    except Conflict as conflict:
        form.add_error(None, str(conflict.message))
        return False
    if made:
        messages.success(request, _("Version %(number)d is saved.") % {"number": version.number})
    else:
        messages.info(request, _("Nothing differs from version %(number)d.") % {"number": version.number})
    return True


def _form_page(request: HttpRequest, form: TemplateForm, context: dict[str, Any]) -> HttpResponse:
    tenant: Tenant | None = context["tenant"]
    asks_gpus = form["gpus"].value() not in (None, "", 0, "0")
    shows_gpus = asks_gpus or tenant is None or has_quota(tenant, GPUS)
    if tenant is not None:
        form.offer(tenant)
    whole = {**context, "form": form, "current_tenant": tenant, "shows_gpus": shows_gpus}
    return render(request, "workloads/template_form.html", whole, status=400 if form.errors else 200)


def _types(tenant: Tenant | None, first: Mapping[str, Any], data: QueryDict) -> list[ResourceType]:
    """Return the types beyond the built-in ones that the form asks for; of a template of nobody's, all."""
    lines = quota_lines([tenant])[tenant.pk] if tenant else []
    keys = [*keys_in([*first, *data]), *first["gpu_models"]] if tenant else [found.key for found in resource_types()]
    return types_offered(lines, keys)


def _audiences(user: User, template: Template) -> list[tuple[str, Any]]:
    """Return who a template can be shown to by this user; empty where there is no choice."""
    found = [(value, label) for value, label in VISIBILITY_CHOICES if templating.may_show_to(user, template, value)]
    return found if len(found) > 1 else []


def _history(user: User, template: Template) -> list[Told]:
    return told_entries(templatereads.template_history(user=user, template=template)[: templatereads.HISTORY_ROWS])


def _use_tenant(user: User, template: Template) -> str:
    """Return the tenant in which a template can be used; "" leaves it to the submit form."""
    return template.tenant.slug if template.tenant and template.visibility != Visibility.PUBLIC else ""


def _filters(which: str, text: str) -> list[tuple[str, str, str]]:
    labels = {value: str(label) for value, label in VISIBILITY_CHOICES}
    shared = [(value, labels[value]) for value in _AUDIENCES]
    named = [("", _("All")), ("mine", _("Mine")), *shared, ("archived", _("Archived"))]
    return [(name, label, _query(q=text, which=name) or "?") for name, label in named]


def _query(**values: Any) -> str:
    given = {name: str(value) for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


def _number(text: str) -> int | None:
    """Return a version's number, None where the query names none; what is no number is as good as a missing one."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_NUMBER_DIGITS):
        raise NotVisible
    return min(int(text), MAX_TEMPLATE_VERSION)


def _id(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
