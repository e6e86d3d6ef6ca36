"""The page that shows two workloads side by side, and the choice of the second."""

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from workloads import comparison, lineage, presentation
from workloads.compare import spec_differences


@route(Action.WORKLOAD_VIEW)
@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    user = person(request)
    ids = [_id(request.GET.get(name, "")) for name in ("a", "b")]
    known = [found for found in ids if found is not None]
    rows = lineage.pair_of(user=user, ids=known) if known else {}
    if len(rows) == 2:
        left, right = (rows[found] for found in known)
        context = _pair_context(left, right)
    else:
        context = _choice_context(user, rows[known[0]] if known else None)
    return render(request, "workloads/compare.html", context)


def _id(text: str) -> uuid.UUID | None:
    """Return an id, None where none is given; what is no id is as good as a missing one."""
    if not text.strip():
        return None
    try:
        return uuid.UUID(text.strip())
    except ValueError as error:
        raise NotVisible from error


def _pair_context(left: Any, right: Any) -> dict[str, Any]:
    differences = spec_differences(left.spec, right.spec)
    return {
        "pair": [presentation.told(left), presentation.told(right)],
        "outcome": comparison.outcome_rows(left, right),
        "rows": comparison.rows_of(differences),
        "script": comparison.script_of(differences),
        "same_spec": not differences,
    }


def _choice_context(user: User, first: Any) -> dict[str, Any]:
    near: list[Any] = []
    if first is not None:
        _first, found = lineage.family_of(user=user, workload_id=first.pk)
        near = [*([found.parent] if found.parent else []), *found.clones]
    taken = {row.pk for row in near} | ({first.pk} if first else set())
    recent = lineage.recent_of(user=user, but=taken)
    return {
        "first": first,
        "near": presentation.told_all(near),
        "recent": presentation.told_all(recent),
    }
