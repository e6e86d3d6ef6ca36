"""The help page: what states mean, what keys do, where things are. Texts only; it reads no table of its own."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal.core.policy import Action
from portal.core.routes import route

STATES = (
    ("queued", _("It waits. The reason under it says for what: a limit, free room, or work ahead of it.")),
    ("starting", _("It was admitted; its image is fetched and its pod is made.")),
    ("running", _("Its program runs. What it prints is in its log within a second.")),
    ("stopping", _("It was cancelled and its pod is being ended.")),
    ("succeeded", _("Its program ended with exit code 0.")),
    ("failed", _("It ended in another way. The card on its page says how, and what helps.")),
    ("cancelled", _("Somebody ended it before it was done.")),
)
KEYS = (
    ("Ctrl K", _("Search everything and go there")),
    ("/", _("Go to the search of this page")),
    ("?", _("Open this page")),
    ("Esc", _("Close a menu or a dialog")),
)


@route(Action.SIGNED_IN)
@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "web/help.html", {"states": STATES, "keys": KEYS})
