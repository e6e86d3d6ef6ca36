"""The page of shares of a tenant's quota. A handler parses, asks one selector or service, and renders."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from portal.core import policy
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants.choices import PRIORITY_LABELS
from tenants.gauges import amount_text
from tenants.models import QuotaShare, ResourceType, Tenant
from tenants.selectors import tenant_get
from tenants.shareforms import ShareForm
from tenants.shareservices import share_set
from tenants.specs import Priority, Unit
from tenants.views import stored
from workloads import sharereads
from workloads.sharereads import Sheet, Use


@route(Action.TENANT_VIEW)
@require_GET
def shares(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = tenant_get(user=user, slug=slug)
    sheet = sharereads.sheet_of(user=user, tenant=tenant)
    return _page(request, tenant, sheet, _form(request, tenant, sheet))


@route(Action.TENANT_SHARES)
@require_POST
def share_change(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = tenant_get(user=user, slug=slug)
    policy.require(user, Action.TENANT_SHARES, tenant)
    sheet = sharereads.sheet_of(user=user, tenant=tenant)
    form = _form(request, tenant, sheet)
    if form.is_valid() and stored(form, lambda: share_set(actor=user, tenant=tenant, **form.share())):
        messages.success(request, _("The share is set."))
        return redirect("shares:list", slug)
    return _page(request, tenant, sheet, form, status=400)


def _form(request: HttpRequest, tenant: Tenant, sheet: Sheet) -> ShareForm:
    priorities = policy.allowed(person(request), Action.TENANT_EDIT_LIMITS, tenant)
    return ShareForm(request.POST or None, types=sheet.types, priorities=priorities)


def _page(request: HttpRequest, tenant: Tenant, sheet: Sheet, form: ShareForm, *, status: int = 200) -> HttpResponse:
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "each": [_limit_told(row) for row in sheet.shares if row.whose == QuotaShare.Whose.EACH],
        "uses": [_told(use) for use in sheet.uses],
        "form": form,
        "may_edit": policy.allowed(person(request), Action.TENANT_SHARES, tenant),
        "most": sharereads.MOST_ROWS,
    }
    return render(request, "workloads/shares.html", context, status=status)


def _limit_told(row: QuotaShare) -> tuple[ResourceType, str]:
    return row.type, amount_text(Unit(row.type.unit), row.limit)


def _told(use: Use) -> dict[str, object]:
    unit = Unit(use.type.unit)
    priority = PRIORITY_LABELS[Priority(use.priority)] if use.priority else ""
    held, limit = amount_text(unit, use.held), amount_text(unit, use.limit)
    return {"use": use, "priority": priority, "held": held, "limit": limit}
