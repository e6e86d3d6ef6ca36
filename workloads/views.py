"""Pages of workloads. A handler parses, asks one selector or service, and renders."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core import policy
from portal.core.errors import Conflict, IdempotencyReplay, NotVisible, Rejected
from portal.core.installation import installation_id
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.live.frames import wire_line
from tenants.gauges import gauges_of
from tenants.models import Tenant
from tenants.specs import Limits
from tenants.usage import NOTHING, held_by
from workloads import comparison, explain, images, lineage, presentation, selectors, services, timeline
from workloads.forms import AskForm, SubmitForm, initial_of
from workloads.logs import read
from workloads.models import Workload
from workloads.specs import TERMINAL, State
from workloads.verdict import verdict_of

LOG_PAGE_LINES = 200
OVERVIEW_LINES = 100
MAX_SEQ_DIGITS = 19


@route(Action.WORKLOAD_SUBMIT)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = person(request)
    tenant = selectors.submit_tenant(user=user, slug=request.GET.get("tenant", ""))
    if tenant is None:
        return render(request, "workloads/no_tenant.html")
    if request.method == "POST":
        return _submit(request, user, tenant)
    return _form_page(request, tenant, _first_form(request, user, tenant))


@route(Action.WORKLOAD_SUBMIT)
@require_GET
def verdict(request: HttpRequest) -> HttpResponse:
    user = person(request)
    tenant = selectors.submit_tenant(user=user, slug=request.GET.get("tenant", ""))
    if tenant is None:
        raise NotVisible
    return render(request, "workloads/verdict.html", _verdict_context(tenant, AskForm(request.GET)))


@route(Action.WORKLOAD_VIEW)
@require_GET
def detail(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/detail.html", _detail_context(person(request), workload_id, "overview"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def head(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    tab = request.GET.get("tab", "overview")
    return _fragment("workloads/_live.html", _detail_context(person(request), workload_id, tab))


@route(Action.WORKLOAD_VIEW)
@require_GET
def logs(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    context = _detail_context(person(request), workload_id, "logs")
    context |= _log_context(context["workload"], request.GET)
    return render(request, "workloads/logs.html", context)


@route(Action.WORKLOAD_VIEW)
@require_GET
def pods(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/_frame.html", _detail_context(person(request), workload_id, "pods"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def events(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/_frame.html", _detail_context(person(request), workload_id, "events"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def manifests(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    context = _detail_context(person(request), workload_id, "yaml")
    context["yaml"] = presentation.manifests_yaml(context["workload"], context["attempt"], installation_id())
    return render(request, "workloads/yaml.html", context)


@route(Action.WORKLOAD_CANCEL)
@require_POST
def cancel(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    workload = selectors.workload_get(user=user, workload_id=workload_id)
    try:
        stopped = services.workload_cancel(actor=user, workload=workload)
    except Conflict as conflict:
        messages.warning(request, str(conflict.message))
    else:
        text = _("%(name)s is cancelled.") if stopped.state in TERMINAL else _("%(name)s is being cancelled.")
        messages.success(request, text % {"name": stopped.name})
    return redirect("workloads:detail", workload_id)


def _fragment(template: str, context: dict[str, Any]) -> HttpResponse:
    """Render a part of a page: without the request, since only the shell round it asks for more."""
    return HttpResponse(render_to_string(template, context))


def _first_form(request: HttpRequest, user: User, tenant: Tenant) -> SubmitForm:
    """Return the form as it is first shown: filled from a template, from an earlier workload, or with defaults."""
    slug, source_id = request.GET.get("template", ""), _uuid(request.GET.get("from", ""))
    if source_id:
        source = selectors.workload_get(user=user, workload_id=source_id)
        template = source.spec.get("template", "")
        return SubmitForm(initial=initial_of(source.spec, template=template, parent=source.pk))
    chosen = selectors.template_get(user=user, tenant=tenant, slug=slug) if slug else None
    if chosen is None:
        return SubmitForm(initial=initial_of({}))
    spec = images.resolved(chosen.spec, images.known_images())
    return SubmitForm(initial=initial_of(spec, template=chosen.slug))


def _submit(request: HttpRequest, user: User, tenant: Tenant) -> HttpResponse:
    form = SubmitForm(request.POST)
    if not form.is_valid():
        return _form_page(request, tenant, form, status=400)
    key, parent_id = form.cleaned_data["idempotency_key"], form.cleaned_data["parent"]
    parent = selectors.workload_get(user=user, workload_id=parent_id) if parent_id else None
    try:
        workload, _replayed = services.workload_submit(
            actor=user, tenant=tenant, spec=form.spec(), idempotency_key=str(key) if key else None, parent=parent
        )
    except Rejected as rejected:
        form.reject(rejected)
        return _form_page(request, tenant, form, status=400)
    except IdempotencyReplay as replay:
        return _form_page(request, tenant, form.with_new_key(), status=409, first_id=replay.object_id)
    return redirect("workloads:detail", workload.pk)


def _form_page(
    request: HttpRequest, tenant: Tenant, form: SubmitForm, *, status: int = 200, first_id: str | None = None
) -> HttpResponse:
    user = person(request)
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "tenants": selectors.submit_tenants(user=user),
        "form": form,
        "templates": selectors.template_list(user=user, tenant=tenant),
        "chosen": form["template"].value(),
        **_verdict_context(tenant, AskForm({name: form[name].value() for name in AskForm.base_fields})),
        "shows_gpus": bool(tenant.gpu_limit) or form["gpus"].value() not in (None, "", 0, "0"),
        "first_id": first_id,
        "source": _source(user, form["parent"].value()),
    }
    return render(request, "workloads/new.html", context, status=status)


def _source(user: User, parent: Any) -> Workload | None:
    """Return the workload that the form was filled from; None where there is none that the user may see."""
    found = _uuid(str(parent)) if parent else None
    rows = selectors.workload_rows(user=user, ids=[found], filters=selectors.Filters()) if found else []
    return rows[0] if rows else None


def _verdict_context(tenant: Tenant, ask: AskForm) -> dict[str, Any]:
    """Return what stands beside the form: the tenant's limits and, where the sizes can be read, the verdict."""
    asked = ask.resources() if ask.is_valid() else None
    adding = Limits(asked.cpu_millicores, asked.memory_mib, pods=1, gpus=asked.gpus) if asked else NOTHING
    return {
        "tenant": tenant,
        "gauges": gauges_of(tenant.limits, held_by([tenant.pk])[tenant.pk], adding),
        "verdict": verdict_of(tenant, asked) if asked else None,
    }


def _detail_context(user: User, workload_id: uuid.UUID, tab: str) -> dict[str, Any]:
    workload, family = lineage.family_of(user=user, workload_id=workload_id)
    attempts = selectors.attempts_of(workload)
    context: dict[str, Any] = {
        "workload": workload,
        "current_tenant": workload.tenant,
        "told": presentation.told(workload),
        "attempts": presentation.told_all(attempts),
        "attempt": attempts[0] if attempts else None,
        "digest": attempts[0].image_digest.rpartition("@")[2] if attempts else "",
        "steps": timeline.timeline_of(workload, attempts),
        "explanation": explain.explanation(workload),
        "command": presentation.command_text(workload.spec),
        "can_cancel": _may_cancel(user, workload),
        "may_submit": policy.allowed(user, Action.WORKLOAD_SUBMIT, workload),
        "live": workload.state not in TERMINAL,
        "last_seq": max(0, workload.log_last_seq - OVERVIEW_LINES),  # where the overview's viewer begins
        "tab": tab,
        "head_url": f"{reverse('workloads:head', args=[workload.pk])}?tab={tab}",
        "lineage": family,
    }
    if tab == "overview" and context["lineage"].parent:
        changes = comparison.brief_of(context["lineage"].parent_spec, workload.spec)
        context["changes"], context["more_changes"] = changes
    if tab in {"overview", "events"}:
        context["events"] = presentation.told_all(selectors.events_of(workload))
    if tab == "pods":
        context["pods"] = presentation.told_all(selectors.pods_of(workload))
    return context


def _log_context(workload: Workload, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the log: after or before a line, else its end. The viewer goes on from there."""
    after, before = query.get("after", ""), query.get("before", "")
    if _is_seq(after):
        lines = read.lines_after(workload.pk, int(after), LOG_PAGE_LINES)
    else:
        bound = int(before) if _is_seq(before) else workload.log_last_seq + 1
        lines = read.lines_before(workload.pk, bound, LOG_PAGE_LINES)
    first, last = (lines[0].seq, lines[-1].seq) if lines else (1, 0)
    return {
        "lines": [wire_line(line) for line in lines],
        "last_seq": max(last, workload.log_last_seq),
        "earlier_url": f"?before={first}" if first > 1 else "",
        "later_url": f"?after={last}" if last < workload.log_last_seq else "",
    }


def _is_seq(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < MAX_SEQ_DIGITS


def _may_cancel(user: User, workload: Workload) -> bool:
    if workload.state in TERMINAL or workload.state == State.STOPPING:
        return False
    action = Action.WORKLOAD_CANCEL if workload.owner_id == user.pk else Action.WORKLOAD_CANCEL_ANY
    return policy.allowed(user, action, workload)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
