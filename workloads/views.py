"""Pages of workloads. A handler parses, asks one selector or service, and renders."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core.errors import Conflict, IdempotencyReplay, NotVisible, Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants.gauges import quota_gauges
from tenants.models import QuotaLine, Tenant
from tenants.selectors import quota_lines
from tenants.specs import GPUS
from workloads import selectors, services, templatereads
from workloads.extras import keys_in, types_offered
from workloads.forms import AskForm, SubmitForm, initial_of
from workloads.models import Workload
from workloads.specs import MAX_TEMPLATE_VERSION, TERMINAL
from workloads.verdict import asking, verdict_of

MAX_DIGITS = 12


@route(Action.WORKLOAD_SUBMIT)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = person(request)
    tenant = selectors.submit_tenant(user=user, slug=request.GET.get("tenant", ""))
    if tenant is None:
        return render(request, "workloads/no_tenant.html")
    lines = quota_lines([tenant])[tenant.pk]
    if request.method == "POST":
        return _submit(request, user, tenant, lines)
    spec, parent = _first_spec(request, user, tenant)
    sizes = spec.get("resources") or {}
    types = types_offered(lines, [*(sizes.get("extra") or {}), *(sizes.get("gpu_models") or [])])
    return _form_page(request, tenant, lines, SubmitForm(initial=initial_of(spec, parent=parent), types=types))


@route(Action.WORKLOAD_SUBMIT)
@require_GET
def verdict(request: HttpRequest) -> HttpResponse:
    user = person(request)
    tenant = selectors.submit_tenant(user=user, slug=request.GET.get("tenant", ""))
    if tenant is None:
        raise NotVisible
    lines = quota_lines([tenant])[tenant.pk]
    ask = AskForm(request.GET, types=types_offered(lines, keys_in(request.GET)))
    return render(request, "workloads/verdict.html", _verdict_context(user, tenant, lines, ask))


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


def _first_spec(request: HttpRequest, user: User, tenant: Tenant) -> tuple[dict[str, Any], uuid.UUID | None]:
    """Return what the form is first filled from, and its parent: an earlier workload or a template, the first one
    where none is named; nothing where there are none."""
    ref, source_id = request.GET.get("template", ""), _uuid(request.GET.get("from", ""))
    if source_id:
        source = selectors.workload_get(user=user, workload_id=source_id)
        return source.spec, source.pk
    if ref:
        chosen = templatereads.named(user=user, tenant=tenant, ref=ref)
    else:
        chosen = templatereads.first_tile(user=user, tenant=tenant)
    if chosen is None or chosen.current is None:
        return {}, None
    number = _number(request.GET.get("version")) or chosen.current.number
    said = templatereads.version_get(template=chosen, number=min(number, MAX_TEMPLATE_VERSION))
    return templatereads.starting_spec(chosen, said), None


def _submit(request: HttpRequest, user: User, tenant: Tenant, lines: list[QuotaLine]) -> HttpResponse:
    form = SubmitForm(request.POST, types=types_offered(lines, keys_in(request.POST)))
    if not form.is_valid():
        return _form_page(request, tenant, lines, form, status=400)
    key, parent_id = form.cleaned_data["idempotency_key"], form.cleaned_data["parent"]
    parent = selectors.workload_get(user=user, workload_id=parent_id) if parent_id else None
    try:
        workload, _replayed = services.workload_submit(
            actor=user, tenant=tenant, spec=form.spec(), idempotency_key=str(key) if key else None, parent=parent
        )
    except Rejected as rejected:
        form.reject(rejected)
        return _form_page(request, tenant, lines, form, status=400)
    except IdempotencyReplay as replay:
        return _form_page(request, tenant, lines, form.with_new_key(), status=409, first_id=replay.object_id)
    except Conflict as conflict:
        form.add_error(None, str(conflict.message))
        return _form_page(request, tenant, lines, form, status=409)
    return redirect("workloads:detail", workload.pk)


def _form_page(
    request: HttpRequest,
    tenant: Tenant,
    lines: list[QuotaLine],
    form: SubmitForm,
    *,
    status: int = 200,
    first_id: str | None = None,
) -> HttpResponse:
    user = person(request)
    form.offer(tenant)
    said = {name: form[name].value() for name in AskForm(types=form.types).fields}
    beside = _verdict_context(user, tenant, lines, AskForm(said, types=form.types))
    tiles, chosen = templatereads.tiles(user=user, tenant=tenant), form["template"].value()
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "tenants": selectors.submit_tenants(user=user),
        "form": form,
        "templates": tiles,
        "chosen": chosen,
        "chosen_template": next((tile for tile in tiles if tile.ref == chosen), None),
        "chosen_version": _number(form["template_version"].value()),
        **beside,
        "shows_gpus": beside["has_gpus"] or form["gpus"].value() not in (None, "", 0, "0"),
        "first_id": first_id,
        "source": _source(user, form["parent"].value()),
    }
    return render(request, "workloads/new.html", context, status=status)


def _source(user: User, parent: Any) -> Workload | None:
    """Return the workload that the form was filled from; None where there is none that the user may see."""
    found = _uuid(str(parent)) if parent else None
    rows = selectors.workload_rows(user=user, ids=[found], filters=selectors.Filters()) if found else []
    return rows[0] if rows else None


def _verdict_context(user: User, tenant: Tenant, lines: list[QuotaLine], ask: AskForm) -> dict[str, Any]:
    """Return what stands beside the form: the tenant's limits and, where the sizes can be read, the verdict."""
    asked = None
    if ask.is_valid():
        asked = asking(user=user, tenant=tenant, resources=ask.resources(), priority=ask.priority_asked())
    return {
        "tenant": tenant,
        "has_gpus": any(line.type.key == GPUS and line.nominal + line.borrow_limit for line in lines),
        "gauges": quota_gauges(lines, asked.item.asks if asked else {}),
        "verdict": verdict_of(tenant, asked) if asked else None,
    }


def _number(value: Any) -> int | None:
    """Return the number that a form has, as it was set or sent; None for anything else."""
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < MAX_DIGITS else None


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
