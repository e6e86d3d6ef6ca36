"""One search over what a person may open: work, pages, templates, tenants. As JSON for the palette, else as a page."""

from dataclasses import asdict, dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.core.templatetags.berth import STATE_CHIPS
from tenants.models import Tenant
from workloads import selectors, templatereads
from workloads.selectors import Filters
from workloads.templatereads import Wanted

MOST_TEXT = 100
MOST_WORK = 6
MOST_OTHERS = 5
_PAGES: tuple[tuple[str, str, str, str | Promise], ...] = (
    ("home", "", "home", gettext_lazy("Home")),
    ("workloads:list", "?view=mine-active", "stack-2", gettext_lazy("My active workloads")),
    ("workloads:list", "?view=mine&state=failed", "alert-octagon", gettext_lazy("My failed workloads")),
    ("workloads:list", "?view=all", "stack-2", gettext_lazy("All workloads")),
    ("workloads:new", "", "rocket", gettext_lazy("Submit workload")),
    ("workloads:filters", "", "flag", gettext_lazy("Saved filters")),
    ("templates:list", "", "notebook", gettext_lazy("Templates")),
    ("tenants:list", "", "building", gettext_lazy("Tenants")),
    ("account_change_password", "", "key", gettext_lazy("Change password")),
    ("help", "", "help-circle", gettext_lazy("Help")),
    ("docs", "", "file-text", gettext_lazy("Documentation")),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Something to open."""

    label: str
    hint: str
    url: str
    icon: str


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one sort."""

    label: str
    items: list[Found]


@route(Action.SIGNED_IN)
@require_GET
def search(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").replace("\0", "").strip()[:MOST_TEXT]
    groups = found_for(person(request), text)
    if "json" in request.GET:
        body = {"groups": [asdict(group) for group in groups]}
        return JsonResponse(body, headers={"Cache-Control": "private, no-store"})
    return render(request, "web/search.html", {"groups": groups, "text": text})


def found_for(user: User, text: str) -> list[Group]:
    """Return what fits a text, by sort; without a text the person's active work and the pages. At most 5 statements."""
    groups = [Group(_("Workloads"), _work(user, text)), Group(_("Pages"), _pages(text))]
    if text:
        groups += [Group(_("Templates"), _templates(user, text)), Group(_("Tenants"), _tenants(user, text))]
    return [group for group in groups if group.items]


def _work(user: User, text: str) -> list[Found]:
    filters = Filters(text=text) if text else Filters(mine=True, active=True)
    page = selectors.workload_list(user=user, filters=filters, limit=MOST_WORK)
    return [
        Found(
            row.name,
            _("%(state)s, %(owner)s in %(tenant)s")
            % {"state": STATE_CHIPS[row.state][0], "owner": row.owner.get_username(), "tenant": row.tenant.slug},
            reverse("workloads:detail", args=[row.pk]),
            STATE_CHIPS[row.state][1],
        )
        for row in page.rows
    ]


def _pages(text: str) -> list[Found]:
    wanted = text.lower()
    return [
        Found(str(label), "", reverse(name) + query, icon)
        for name, query, icon, label in _PAGES
        if wanted in str(label).lower()
    ]


def _templates(user: User, text: str) -> list[Found]:
    rows = templatereads.template_rows(user=user, wanted=Wanted(text=text))
    rows = rows.order_by("position", "current__title", "id")[:MOST_OTHERS]
    return [
        Found(version.title_text, row.ref, reverse("templates:detail", args=[row.pk]), version.icon)
        for row in rows
        if (version := row.current)
    ]


def _tenants(user: User, text: str) -> list[Found]:
    rows = Tenant.objects.visible_to(user).filter(name__icontains=text).order_by("name", "id")
    return [
        Found(row.name, row.slug, reverse("tenants:detail", args=[row.slug]), "building") for row in rows[:MOST_OTHERS]
    ]
