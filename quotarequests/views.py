"""Pages of quota requests, for who asks and who decides. A handler parses, asks one selector or service, renders."""

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core import policy
from portal.core.errors import Conflict, Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from quotarequests import deciding, granting, pagefacts, requesting, selectors
from quotarequests.effects import simulated
from quotarequests.evidence import evidence_of
from quotarequests.forms import AmountsForm, ApproveForm, AskForm, DenyForm, TextForm
from quotarequests.models import QuotaRequest
from quotarequests.requesting import Ask
from quotarequests.specs import UNDECIDED, RequestState
from tenants.forms import RejectingForm
from tenants.models import Tenant
from tenants.selectors import resource_types, tenant_get
from workloads.models import Workload
from workloads.waits import missing_quota

PAGE_ROWS = 50


@route(Action.TENANT_VIEW)
@require_GET
def requests(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = tenant_get(user=user, slug=slug)
    rows = selectors.request_list(user=user, tenant=tenant)[:PAGE_ROWS]
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "rows": pagefacts.rows_of(rows),
        "most": PAGE_ROWS,
        "may_ask": policy.allowed(user, Action.QUOTA_REQUEST_CREATE, tenant),
    }
    return render(request, "quotarequests/list.html", context)


@route(Action.QUOTA_REQUEST_CREATE)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = tenant_get(user=user, slug=slug)
    policy.require(user, Action.QUOTA_REQUEST_CREATE, tenant)
    nominal = granting.nominal_of(tenant)
    workload, missing = _waiting(user, tenant, request.GET.get("workload", ""))
    form = AskForm(request.POST or None, types=resource_types(), nominal=nominal, wanted=missing)
    if form.is_valid():
        ask = Ask(form.wanted(), form.cleaned_data["justification"], form.cleaned_data["until"], workload)
        made = _taken(form, lambda: requesting.request_create(actor=user, tenant=tenant, ask=ask))
        if made is not None:
            if made.state == RequestState.APPROVED:
                messages.success(request, _("A rule approved the request at once."))
            else:
                messages.success(request, _("The platform admins are told of your request."))
            return redirect("quotarequests:detail", slug, made.pk)
    context = {"form": form, "tenant": tenant, "current_tenant": tenant, "workload": workload}
    return render(request, "quotarequests/new.html", context, status=400 if form.errors else 200)


@route(Action.TENANT_VIEW)
@require_GET
def detail(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    return _detail_page(request, user, asked, {})


@route(Action.QUOTA_REQUEST_DECIDE)
@require_POST
def approve(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user, asked = _to_decide(request, slug, request_id)
    form = ApproveForm(request.POST, request=asked, amounts=asked.wanted)

    def decided() -> QuotaRequest:
        values = form.cleaned_data
        return deciding.request_approve(
            actor=user, request=asked, amounts=form.amounts(), until=values["until"], reason=values["reason"]
        )

    return _after(request, user, asked, ("approve_form", form), decided)


@route(Action.QUOTA_REQUEST_DECIDE)
@require_POST
def deny(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user, asked = _to_decide(request, slug, request_id)
    form = DenyForm(request.POST, prefix="deny")
    return _after(
        request,
        user,
        asked,
        ("deny_form", form),
        lambda: deciding.request_deny(actor=user, request=asked, reason=form.cleaned_data["reason"]),
    )


@route(Action.QUOTA_REQUEST_DECIDE)
@require_POST
def ask_back(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user, asked = _to_decide(request, slug, request_id)
    form = TextForm(request.POST, prefix="ask")
    return _after(
        request,
        user,
        asked,
        ("ask_form", form),
        lambda: deciding.request_ask_back(actor=user, request=asked, text=form.cleaned_data["text"]),
    )


@route(Action.QUOTA_REQUEST_CREATE)
@require_POST
def answer(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    policy.require(user, Action.QUOTA_REQUEST_CREATE, asked)
    form = TextForm(request.POST, prefix="answer")
    return _after(
        request,
        user,
        asked,
        ("answer_form", form),
        lambda: requesting.request_answer(actor=user, request=asked, text=form.cleaned_data["text"]),
    )


@route(Action.QUOTA_REQUEST_CREATE)
@require_POST
def withdraw(request: HttpRequest, slug: str, request_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    try:
        requesting.request_withdraw(actor=user, request=asked)
    except Conflict as conflict:
        messages.error(request, str(conflict.message))
    else:
        messages.success(request, _("The request is withdrawn."))
    return redirect("quotarequests:detail", slug, request_id)


@route(Action.QUOTA_REQUEST_INBOX)
@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    user = person(request)
    decided = request.GET.get("show") == "decided"
    rows = list(selectors.inbox(user=user, undecided=not decided)[:PAGE_ROWS])
    context = {"rows": pagefacts.rows_of(rows), "decided": decided, "most": PAGE_ROWS}
    return render(request, "quotarequests/inbox.html", context)


def _waiting(user: User, tenant: Tenant, text: str) -> tuple[Workload | None, dict[str, int]]:
    """Return the workload that the page was opened from, and what it lacks; nothing for an id that is none."""
    try:
        workload_id = uuid.UUID(text)
    except ValueError:
        return None, {}
    return missing_quota(user=user, tenant=tenant, workload_id=workload_id)


def _to_decide(request: HttpRequest, slug: str, request_id: uuid.UUID) -> tuple[User, QuotaRequest]:
    user = person(request)
    asked = selectors.request_get(user=user, slug=slug, request_id=request_id)
    policy.require(user, Action.QUOTA_REQUEST_DECIDE, asked)
    return user, asked


def _taken(form: RejectingForm, write: Callable[[], QuotaRequest]) -> QuotaRequest | None:
    """Call a service; what it refuses stands at the form's fields or on its top. Return what it wrote."""
    try:
        return write()
    except Rejected as rejected:
        form.reject(rejected)
    except Conflict as conflict:
        form.add_error(None, str(conflict.message))
    return None


def _after(
    request: HttpRequest,
    user: User,
    asked: QuotaRequest,
    named_form: tuple[str, RejectingForm],
    write: Callable[[], QuotaRequest],
) -> HttpResponse:
    """Call a service with a form that is valid, and show the request as it is then; else the form's complaints."""
    name, form = named_form
    if form.is_valid():
        try:
            write()
        except Rejected as rejected:
            form.reject(rejected)
        except Conflict as conflict:  # somebody was faster: the page says what has become of it
            messages.error(request, str(conflict.message))
    if not form.errors:
        return redirect("quotarequests:detail", asked.tenant.slug, asked.pk)
    again = selectors.request_get(user=user, slug=asked.tenant.slug, request_id=asked.pk)
    return _detail_page(request, user, again, {name: form}, status=400)


def _detail_page(
    request: HttpRequest, user: User, asked: QuotaRequest, forms: dict[str, RejectingForm], *, status: int = 200
) -> HttpResponse:
    evidence, types = evidence_of(asked.evidence), asked.resource_types
    context: dict[str, Any] = {
        "asked": asked,
        "tenant": asked.tenant,
        "current_tenant": asked.tenant,
        "undecided": asked.state in UNDECIDED,
        "items": pagefacts.items_of(asked),
        "events": pagefacts.happened(asked),
        "evidence": evidence,
        "evidence_rows": pagefacts.evidence_rows(evidence, types),
        "charts": pagefacts.evidence_charts(evidence, types),
        "waits": pagefacts.waits_text(evidence),
        "may_answer": asked.state in UNDECIDED and requesting.may_answer(user, asked),
        "answer_form": TextForm(prefix="answer"),
    }
    if asked.state in UNDECIDED and policy.allowed(user, Action.QUOTA_REQUEST_INBOX):
        context |= _effect(request, user, asked)
    return render(request, "quotarequests/detail.html", {**context, **forms}, status=status)


def _effect(request: HttpRequest, user: User, asked: QuotaRequest) -> dict[str, Any]:
    """Return what a page for who decides adds: the effect of what is asked, or of what they try, and the forms."""
    trying = AmountsForm(request.GET, request=asked, amounts=asked.wanted) if "try" in request.GET else None
    amounts = trying.amounts() if trying is not None and trying.is_valid() else asked.wanted
    found, types = simulated(user=user, tenant=asked.tenant, amounts=amounts), asked.resource_types
    return {
        "effect": found.effect,
        "effect_rows": pagefacts.effect_rows(found, types),
        "others": pagefacts.others_moved(found, types),
        "starts": found.starts,
        "try_form": trying or AmountsForm(request=asked, amounts=amounts),
        "may_decide": policy.allowed(user, Action.QUOTA_REQUEST_DECIDE, asked),
        "approve_form": ApproveForm(request=asked, amounts=amounts, initial={"until": asked.until}),
        "deny_form": DenyForm(prefix="deny"),
        "ask_form": TextForm(prefix="ask"),
    }
