"""The page of one's notices. A handler parses, asks one selector or service, and renders."""

import uuid

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from portal.core.policy import Action
from portal.core.routes import person, route
from portal.notices import selectors, services
from portal.notices.wording import text_of

MOST_SHOWN = 100


@route(Action.SIGNED_IN)
@require_GET
def notices(request: HttpRequest) -> HttpResponse:
    rows = list(selectors.notice_list(user=person(request))[:MOST_SHOWN])
    told = [(row, text_of(row.kind, row.facts)) for row in rows]
    context = {"told": told, "unread": any(row.read_at is None for row in rows), "most": MOST_SHOWN}
    return render(request, "notices/list.html", context)


@route(Action.SIGNED_IN)
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    one = request.POST.get("notice", "")
    services.notices_read(actor=person(request), ids=[_uuid(one)] if one else None)
    return redirect("notices:list")


def _uuid(text: str) -> uuid.UUID:
    """Return the id that a form posted; one that is none is nobody's."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)
