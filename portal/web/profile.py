"""One's own account: profile, where one is signed in, tokens."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.core import directory, people, tokens
from portal.core.errors import Conflict, Rejected
from portal.core.models import Scope, User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.web.people_forms import ProfileForm, TokenForm, time_zones
from portal.web.user_agents import browser_text
from tenants.models import Tenant

MOST_TENANTS = 200


@route(Action.SIGNED_IN)
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = ProfileForm(request.POST or None, initial=_initial(user))
    if form.is_valid():
        try:
            people.profile_update(actor=user, profile=form.profile())
        except Rejected as rejected:
            form.reject(rejected)
            user.refresh_from_db()
        else:
            with override(user.language or None):
                messages.success(request, _("Your profile is saved."))
            return redirect("profile:profile")
    sessions = [
        (session, browser_text(session.user_agent), session.session_key == request.session.session_key)
        for session in directory.session_list(user=user)
    ]
    context = {"form": form, "zones": time_zones(), "sessions": sessions}
    return render(request, "people/profile.html", context, status=400 if form.errors else 200)


@route(Action.SIGNED_IN)
@require_POST
def sessions_end(request: HttpRequest) -> HttpResponse:
    ended = people.sessions_end(user=person(request), except_key=request.session.session_key or "")
    said = ngettext("%(n)d other sign-in is ended.", "%(n)d other sign-ins are ended.", ended) % {"n": ended}
    messages.success(request, said)
    return redirect("profile:profile")


@route(Action.SIGNED_IN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def token_page(request: HttpRequest) -> HttpResponse:
    user = person(request)
    tenants = list(Tenant.objects.visible_to(user).order_by("slug")[:MOST_TENANTS])
    form = TokenForm(request.POST or None, tenants=tenants)
    made, key = None, ""
    if form.is_valid():
        try:
            made, key = tokens.token_create(actor=user, **form.wanted())
        except Rejected as rejected:
            form.reject(rejected)
        except Conflict as conflict:
            form.add_error(None, str(conflict.message))
    slugs = {tenant.pk: tenant.slug for tenant in tenants}
    context = {
        "form": form if form.errors else TokenForm(tenants=tenants),
        "rows": [
            (token, [Scope(scope).label for scope in token.scopes], slugs.get(token.tenant_id or user.pk))
            for token in tokens.token_list(user=user)
        ],
        "made": made,
        "key": key,
        "me_url": request.build_absolute_uri("/api/v1/me/"),
    }
    return render(request, "people/tokens.html", context, status=400 if form.errors else 200)


@route(Action.SIGNED_IN)
@require_POST
def token_revoke(request: HttpRequest, token_id: UUID) -> HttpResponse:
    tokens.token_revoke(actor=person(request), token_id=token_id)
    messages.success(request, _("The token is revoked: programs that use it are refused from now on."))
    return redirect("profile:tokens")


def _initial(user: User) -> dict[str, str]:
    return {
        "full_name": user.get_full_name(),
        "email": user.email,
        "language": user.language,
        "theme": user.theme,
        "time_zone": user.time_zone,
    }
