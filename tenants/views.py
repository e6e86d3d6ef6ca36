"""Pages of tenants: list, create, limits, members. A handler parses, asks one selector or service, and renders."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core import policy
from portal.core.errors import Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants import selectors, services
from tenants.forms import CohortForm, MemberForm, NewTenantForm, RejectingForm, TenantForm
from tenants.gauges import quota_gauges
from tenants.history import Told, told_entries
from tenants.models import Membership, Tenant
from tenants.roles import role_in
from tenants.specs import Role

MOST_TENANTS = 200


@route(Action.TENANT_VIEW)
@require_GET
def tenants(request: HttpRequest) -> HttpResponse:
    user = person(request)
    shown = list(selectors.tenant_list(user=user)[:MOST_TENANTS])
    lines = selectors.quota_lines(shown)
    rows = [(tenant, quota_gauges(lines[tenant.pk]), role_in(user, tenant)) for tenant in shown]
    context = {"rows": rows, "may_create": policy.allowed(user, Action.TENANT_CREATE)}
    return render(request, "tenants/list.html", context)


@route(Action.TENANT_CREATE)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TENANT_CREATE)
    form = NewTenantForm(request.POST or None, types=selectors.resource_types())
    if form.is_valid():
        slug, name = form.cleaned_data["slug"], form.cleaned_data["name"]
        limits = form.limits()
        if stored(form, lambda: services.tenant_create(actor=user, slug=slug, name=name, limits=limits)):
            return redirect("tenants:detail", slug)
    return render(request, "tenants/new.html", {"form": form}, status=400 if form.errors else 200)


@route(Action.TENANT_VIEW)
@require_GET
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = selectors.tenant_get(user=user, slug=slug)
    return _detail_page(request, user, tenant, MemberForm())


@route(Action.TENANT_EDIT_LIMITS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = selectors.tenant_get(user=user, slug=slug)
    policy.require(user, Action.TENANT_EDIT_LIMITS, tenant)
    form = tenant_form(tenant, request.POST or None)
    if form.is_valid():
        wanted = {"name": form.cleaned_data["name"], "quota": form.quota(), "rules": form.rules()}
        wanted["excess"] = form.cleaned_data["excess"]
        if stored(form, lambda: services.tenant_update(actor=user, tenant=tenant, **wanted)):
            messages.success(request, _("The limits of %(tenant)s are changed.") % {"tenant": slug})
            return redirect("tenants:quota", slug)
    return edit_page(request, tenant, form, status=400 if form.errors else 200)


@route(Action.TENANT_MEMBERS)
@require_POST
def member_set(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = selectors.tenant_get(user=user, slug=slug)
    policy.require(user, Action.TENANT_MEMBERS, tenant)
    form = MemberForm(request.POST)
    if form.is_valid():
        member, role = form.cleaned_data["username"], Role(form.cleaned_data["role"])
        if stored(form, lambda: services.membership_set(actor=user, tenant=tenant, user=member, role=role)):
            return redirect("tenants:detail", slug)
    return _detail_page(request, user, tenant, form, status=400)


@route(Action.TENANT_MEMBERS)
@require_POST
def member_remove(request: HttpRequest, slug: str) -> HttpResponse:
    user = person(request)
    tenant = selectors.tenant_get(user=user, slug=slug)
    policy.require(user, Action.TENANT_MEMBERS, tenant)
    member = User.objects.filter(memberships__tenant=tenant, username=request.POST.get("username", "")).first()
    if member is not None:
        services.membership_remove(actor=user, tenant=tenant, user=member)
        messages.success(request, _("%(user)s is no longer a member.") % {"user": member.get_username()})
    gone = member == user and not policy.allowed(user, Action.TENANT_VIEW)
    return redirect("tenants:list") if gone else redirect("tenants:detail", slug)


def tenant_form(tenant: Tenant, data: QueryDict | None = None) -> TenantForm:
    """Return the form of a tenant's name and quota. Two statements."""
    lines = selectors.quota_lines([tenant])[tenant.pk]
    return TenantForm(data, tenant=tenant, types=selectors.resource_types(), lines=lines)


def edit_page(
    request: HttpRequest, tenant: Tenant, form: TenantForm, *, cohort_form: CohortForm | None = None, status: int = 200
) -> HttpResponse:
    """Return the page on which a tenant's name, quota and cohort are changed."""
    cohort_form = cohort_form or CohortForm(user=person(request), tenant=tenant)
    context = {"form": form, "cohort_form": cohort_form, "tenant": tenant, "current_tenant": tenant}
    return render(request, "tenants/edit.html", context, status=status)


def stored(form: RejectingForm, write: Callable[[], object]) -> bool:
    """Call a service; what it rejects stands at the form's fields. Return whether it took them."""
    try:
        write()
    except Rejected as rejected:
        form.reject(rejected)
        return False
    return True


def _history(user: User, tenant: Tenant) -> list[Told]:
    if not policy.allowed(user, Action.TENANT_HISTORY, tenant):
        return []
    return told_entries(selectors.tenant_history(user=user, tenant=tenant)[: selectors.HISTORY_ROWS])


def _detail_page(
    request: HttpRequest, user: User, tenant: Tenant, form: MemberForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "tenant": tenant,
        "current_tenant": tenant,
        "problem": selectors.status_text(tenant),
        "gauges": quota_gauges(selectors.quota_lines([tenant])[tenant.pk]),
        "members": selectors.membership_list(user=user, tenant=tenant),
        "roles": Membership.Role.choices,
        "form": form,
        "history": _history(user, tenant),
        "may_manage": policy.allowed(user, Action.TENANT_MEMBERS, tenant),
        "may_submit": policy.allowed(user, Action.WORKLOAD_SUBMIT, tenant),
    }
    return render(request, "tenants/detail.html", context, status=status)
