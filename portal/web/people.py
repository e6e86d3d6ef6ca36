"""Accounts, for those who run the platform: list, make, switch off and on, roles, links to set a password."""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core import directory, people, policy
from portal.core.errors import Rejected
from portal.core.models import PlatformRole, User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.web.people_forms import AccountForm
from tenants.history import told_entries
from tenants.models import Membership

WHICH = {
    "": gettext_lazy("All"),
    "on": gettext_lazy("Can sign in"),
    "off": gettext_lazy("Switched off"),
    "admin": gettext_lazy("Platform admins"),
    "auditor": gettext_lazy("Auditors"),
}
MAX_TEXT = 100


@route(Action.USER_VIEW)
@require_GET
def users(request: HttpRequest) -> HttpResponse:
    actor, query = person(request), request.GET
    which = query.get("which", "") if query.get("which", "") in WHICH else ""
    text = query.get("q", "").replace("\0", "").strip()[:MAX_TEXT]
    after, before = query.get("after", "").replace("\0", ""), query.get("before", "").replace("\0", "")
    page = directory.account_list(actor=actor, text=text, which=which, after=after, before=before)
    kept = {name: value for name, value in (("which", which), ("q", text)) if value}
    context = {
        "rows": _with_tenants(page.users),
        "text": text,
        "which": which,
        "filters": [(name, label, urlencode({**kept, "which": name})) for name, label in WHICH.items()],
        "previous_url": "?" + urlencode({**kept, "before": page.before}) if page.before else "",
        "next_url": "?" + urlencode({**kept, "after": page.after}) if page.after else "",
        "may_manage": policy.allowed(actor, Action.USER_MANAGE),
    }
    return render(request, "people/list.html", context)


@route(Action.USER_MANAGE)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    actor = person(request)
    policy.require(actor, Action.USER_MANAGE)
    form = AccountForm(request.POST or None)
    if form.is_valid():
        try:
            made = people.account_create(actor=actor, account=form.account())
        except Rejected as rejected:
            form.reject(rejected)
        else:
            return _page(request, actor, made, link=people.password_link(actor=actor, user=made))
    return render(request, "people/new.html", {"form": form}, status=400 if form.errors else 200)


@route(Action.USER_VIEW)
@require_GET
def detail(request: HttpRequest, user_id: UUID) -> HttpResponse:
    actor = person(request)
    return _page(request, actor, directory.account_get(actor=actor, user_id=user_id))


@route(Action.USER_MANAGE)
@never_cache
@require_POST
def link(request: HttpRequest, user_id: UUID) -> HttpResponse:
    actor = person(request)
    user = directory.account_get(actor=actor, user_id=user_id)
    return _page(request, actor, user, link=people.password_link(actor=actor, user=user))


@route(Action.USER_MANAGE)
@require_POST
def switch_off(request: HttpRequest, user_id: UUID) -> HttpResponse:
    said = _("%(user)s is signed out and cannot sign in any more.")
    return _done(request, user_id, lambda actor, user: people.account_switch_off(actor=actor, user=user), said)


@route(Action.USER_MANAGE)
@require_POST
def switch_on(request: HttpRequest, user_id: UUID) -> HttpResponse:
    said = _("%(user)s can sign in again.")
    return _done(request, user_id, lambda actor, user: people.account_switch_on(actor=actor, user=user), said)


@route(Action.USER_MANAGE)
@require_POST
def set_role(request: HttpRequest, user_id: UUID) -> HttpResponse:
    role, said = request.POST.get("platform_role", ""), _("The platform role of %(user)s is changed.")
    return _done(request, user_id, lambda actor, user: people.account_set_role(actor=actor, user=user, role=role), said)


def _done(request: HttpRequest, user_id: UUID, change: Callable[[User, User], User], said: str) -> HttpResponse:
    actor = person(request)
    user = directory.account_get(actor=actor, user_id=user_id)
    change(actor, user)
    messages.success(request, said % {"user": user.get_username()})
    return redirect("people:detail", user_id)


def _page(request: HttpRequest, actor: User, user: User, *, link: str = "") -> HttpResponse:
    memberships = Membership.objects.filter(user=user).select_related("tenant").order_by("tenant__slug")
    context = {
        "account": user,
        "memberships": list(memberships),
        "history": told_entries(directory.account_history(actor=actor, user=user)[: directory.HISTORY_ROWS]),
        "roles": PlatformRole.choices,
        "link": request.build_absolute_uri(link) if link else "",
        "may_manage": policy.allowed(actor, Action.USER_MANAGE, user),
        "oneself": actor.pk == user.pk,
    }
    return render(request, "people/detail.html", context)


def _with_tenants(found: Sequence[User]) -> list[tuple[User, list[Membership]]]:
    """Return each account with its memberships: one query for all."""
    rows = Membership.objects.filter(user__in=found).select_related("tenant").order_by("tenant__slug")
    by_user: dict[object, list[Membership]] = {}
    for row in rows:
        by_user.setdefault(row.user_id, []).append(row)
    return [(user, by_user.get(user.pk, [])) for user in found]
