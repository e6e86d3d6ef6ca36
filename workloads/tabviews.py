"""The tabs of a workload's page: overview, log, pods, events, YAML. A handler parses, asks selectors, and renders."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET

from portal.core.installation import installation_id
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from workloads import happenings, podfacts, presentation, selectors
from workloads.logpage import log_context
from workloads.workloadpage import overview, page_context

_PARTS = frozenset({"overview", "logs", "pods", "events", "yaml"})


@route(Action.WORKLOAD_VIEW)
@require_GET
def detail(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/detail.html", _context(request, workload_id, "overview"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def head(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    """Answer the live part alone: without the request, since only the shell round it asks for more."""
    tab = request.GET.get("tab", "")
    context = _context(request, workload_id, tab if tab in _PARTS else "overview")
    return HttpResponse(render_to_string("workloads/_live.html", context))


@route(Action.WORKLOAD_VIEW)
@require_GET
def logs(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    context = _context(request, workload_id, "logs")
    return render(request, "workloads/logs.html", context | log_context(context["workload"], request.GET))


@route(Action.WORKLOAD_VIEW)
@require_GET
def pods(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/_frame.html", _context(request, workload_id, "pods"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def events(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    return render(request, "workloads/_frame.html", _context(request, workload_id, "events"))


@route(Action.WORKLOAD_VIEW)
@require_GET
def manifests(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    context = _context(request, workload_id, "yaml")
    chosen = selectors.attempt_chosen([told.item for told in context["attempts"]], request.GET.get("attempt", ""))
    context["chosen"] = chosen
    context["yaml"] = presentation.manifests_yaml(context["workload"], chosen, installation_id())
    return render(request, "workloads/yaml.html", context)


@route(Action.WORKLOAD_VIEW)
@require_GET
def manifests_download(request: HttpRequest, workload_id: uuid.UUID) -> HttpResponse:
    workload = selectors.workload_get(user=person(request), workload_id=workload_id)
    chosen = selectors.attempt_chosen(selectors.attempts_of(workload), request.GET.get("attempt", ""))
    text = presentation.manifests_yaml(workload, chosen, installation_id())
    name = f"{workload.name}-{chosen.object_name if chosen else workload.kube_name}.yaml"
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _context(request: HttpRequest, workload_id: uuid.UUID, tab: str) -> dict[str, Any]:
    user: User = person(request)
    context = page_context(user, workload_id, tab)
    adds = {"overview": overview, "pods": _pods, "events": _events}.get(tab)
    show = request.GET.get("show", "")
    context["show"] = show if show in happenings.SHOWS else ""
    return context | (adds(context) if adds else {})


def _pods(context: dict[str, Any]) -> dict[str, Any]:
    return {"runs": podfacts.facts_of(context["attempts"], selectors.pods_of(context["workload"]))}


def _events(context: dict[str, Any]) -> dict[str, Any]:
    workload, show = context["workload"], context["show"]
    return {
        "happened": happenings.happenings_of(selectors.all_events_of(workload), show=show),
        "shows": happenings.SHOWS.items(),
        "head_url": f"{context['head_url']}&show={show}",
    }
