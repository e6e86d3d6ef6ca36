"""Shell pages: preferences, health, error pages."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from portal.core.models import Theme, User
from portal.core.policy import Action
from portal.core.routes import route
from portal.web import faults, health

PREFERENCE_COOKIE_AGE_S = 365 * 24 * 3600


@route(Action.PUBLIC)
@require_GET
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


@route(Action.PUBLIC)
@require_GET
def readyz(request: HttpRequest) -> HttpResponse:
    report = health.report()
    return JsonResponse(report, status=200 if report["status"] != "down" else 503)


@route(Action.SIGNED_IN)
@require_GET
def cluster_notice(request: HttpRequest) -> HttpResponse:
    """Answer what a page says on top of the cluster; nothing while all is well. Asked while something is said."""
    return render(request, "components/_cluster_notice.html")


@route(Action.PUBLIC)
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    theme = request.POST.get("theme", "")
    response = _back(request)
    if theme in Theme.values:
        if isinstance(request.user, User):
            User.objects.filter(pk=request.user.pk).update(theme=theme)
        response.set_cookie("berth-theme", theme, max_age=PREFERENCE_COOKIE_AGE_S, samesite="Lax")
    return response


@route(Action.PUBLIC)
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    language = request.POST.get("language", "")
    response = _back(request)
    if language in dict(settings.LANGUAGES):
        if isinstance(request.user, User):
            User.objects.filter(pk=request.user.pk).update(language=language)
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=PREFERENCE_COOKIE_AGE_S, samesite="Lax")
    return response


def _back(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()}, require_https=False)
    return HttpResponseRedirect(target) if safe else redirect("home")


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return faults.page(request, 400)


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return faults.page(request, 403)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return faults.page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return faults.page(request, 500)
