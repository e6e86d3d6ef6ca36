"""Pages of quotas and cohorts. A handler parses, asks one selector or service, and renders."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.core import policy
from portal.core.errors import Conflict
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants import quotaservices, selectors
from tenants.charts import charts_of
from tenants.forms import CohortForm, NewCohortForm
from tenants.gauges import quota_rows
from tenants.holders import Holders, amounts_told, holders_of
from tenants.hours import stretches_of
from tenants.rules import told_rules
from tenants.views import edit_page, stored, tenant_form


@route(Action.TENANT_VIEW)
@require_GET
def quota(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant, pairs = selectors.tenant_quota(user=user, slug=slug)
    holders = holders_of(user=user, tenant=tenant) if pairs else Holders([], 0)
    types = [line.type for line, _pair in pairs]
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "rows": quota_rows(pairs),
        "holders": [(holder, amounts_told(holder.holds, types)) for holder in holders.shown],
        "more_holders": holders.more,
        "charts": charts_of([(row.type, stretches_of(row)) for row, _pair in pairs]),
        "cohort": tenant.cohort,
        "rules": told_rules(tenant),
        "may_edit": policy.allowed(user, Action.TENANT_EDIT_LIMITS, tenant),
        "may_ask": policy.allowed(user, Action.QUOTA_REQUEST_CREATE, tenant),
    }
    return render(request, "tenants/quota.html", context)


@route(Action.COHORT_EDIT)
@require_POST
def cohort_set(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = selectors.tenant_get(user=user, slug=slug)
    policy.require(user, Action.TENANT_EDIT_LIMITS, tenant)
    form = CohortForm(request.POST, user=user, tenant=tenant)
    if form.is_valid():
        wanted = {"cohort": form.cleaned_data["cohort"], "keep": form.cleaned_data["keep_lent"]}
        if stored(form, lambda: quotaservices.cohort_of_tenant_set(actor=user, tenant=tenant, **wanted)):
            return redirect("tenants:quota", slug)
    return edit_page(request, tenant, tenant_form(tenant), cohort_form=form, status=400)


@route(Action.COHORT_VIEW)
@require_GET
def cohorts(request: HttpRequest) -> HttpResponse:
    policy.require(person(request), Action.COHORT_VIEW)
    return _cohorts_page(request, NewCohortForm())


@route(Action.COHORT_EDIT)
@require_POST
def cohort_new(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.COHORT_EDIT)
    form = NewCohortForm(request.POST)
    if form.is_valid():
        name = form.cleaned_data["name"]
        if stored(form, lambda: quotaservices.cohort_create(actor=user, name=name)):
            return redirect("cohorts:list")
    return _cohorts_page(request, form, status=400)


@route(Action.COHORT_EDIT)
@require_POST
def cohort_delete(request: HttpRequest, cohort_id: uuid.UUID) -> HttpResponse:
    user = person(request)
    cohort = selectors.cohort_get(user=user, cohort_id=cohort_id)
    try:
        quotaservices.cohort_delete(actor=user, cohort=cohort)
    except Conflict as conflict:
        messages.error(request, str(conflict.message))
    else:
        messages.success(request, _("The cohort %(name)s is removed.") % {"name": cohort.name})
    return redirect("cohorts:list")


def _cohorts_page(request: HttpRequest, form: NewCohortForm, *, status: int = 200) -> HttpResponse:
    user = person(request)
    context = {
        "rows": selectors.cohort_list(user=user),
        "check": selectors.ledger_check(user=user),
        "form": form,
        "may_edit": policy.allowed(user, Action.COHORT_EDIT),
    }
    return render(request, "tenants/cohorts.html", context, status=status)
