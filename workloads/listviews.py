"""Pages of the list of workloads: the list and its rows, columns, saved filters, one act on several rows."""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal.core.errors import Rejected
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from workloads import bulk, columns, presentation, savedfilters, selectors, templatereads
from workloads.keyset import Page
from workloads.listing import Listing, choices, listing_of, shows_tenants

MOST_LIVE_ROWS = 100


@route(Action.WORKLOAD_VIEW)
@require_GET
def workloads(request: HttpRequest) -> HttpResponse:
    user = person(request)
    kept = savedfilters.kept_by(user=user)
    if kept.default and not request.GET:
        return redirect(f"{reverse('workloads:list')}?{kept.default.query}")
    listing = listing_of(request.GET, user)
    may_submit = selectors.may_submit_somewhere(user)
    plain = listing.view == "mine-active" and listing.first_page and not listing.narrowed
    teaches = plain and may_submit and not kept.submitted  # then no row can be theirs
    starts = templatereads.first_templates(user=user) if teaches else []
    page = Page([], None, None) if teaches else _page(user, listing)
    context = {
        "listing": listing,
        "saved": listing.saved(kept.filters),
        "rows": presentation.told_all(page.rows),
        "searched_to": page.searched_to,
        "newer_url": listing.at(page.newer),
        "older_url": listing.at(page.older),
        "may_submit": may_submit,
        "starts": starts,
        "most_live_rows": MOST_LIVE_ROWS,
        **choices(),
        **_columns(request, user),
    }
    return render(request, "workloads/list.html", context)


@route(Action.WORKLOAD_VIEW)
@require_GET
def rows(request: HttpRequest) -> HttpResponse:
    user = person(request)
    filters = listing_of(request.GET, user).filters
    found = selectors.workload_rows(user=user, ids=ids_of(request.GET.get("ids", "").split(",")), filters=filters)
    brief = "brief" in request.GET
    context = {"rows": presentation.told_all(found), "brief": brief, **_columns(request, user)}
    # without the request, since only the shell round a fragment asks for more
    return HttpResponse(render_to_string("workloads/_rows.html", context))


@route(Action.WORKLOAD_VIEW)
@require_POST
def choose_columns(request: HttpRequest) -> HttpResponse:
    chosen = columns.cookie_of(request.POST.getlist("column"))
    response = redirect(_list_url(request.POST.get("query", ""), person(request)))
    response.set_cookie(
        columns.COOKIE, chosen, max_age=columns.COOKIE_AGE_S, samesite="Lax", httponly=True, secure=True
    )
    return response


@route(Action.WORKLOAD_VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def filters(request: HttpRequest) -> HttpResponse:
    """Show one's saved filters; a POST keeps another one."""
    user = person(request)
    if request.method != "POST":
        return _filters_page(request, user)
    listing = listing_of(_query(request.POST.get("query", "")), user)
    try:
        kept = savedfilters.filter_save(actor=user, name=request.POST.get("name", ""), query=listing.saved_query)
    except Rejected as rejected:
        return _filters_page(request, user, rejected, listing=listing, name=request.POST.get("name", ""))
    messages.success(request, _("The filter %(name)s is kept.") % {"name": kept.name})
    return redirect(f"{reverse('workloads:list')}?{kept.query}")


@route(Action.WORKLOAD_VIEW)
@require_POST
def filter_change(request: HttpRequest, filter_id: uuid.UUID) -> HttpResponse:
    user, act = person(request), request.POST.get("act", "")
    kept = savedfilters.filter_get(user=user, filter_id=filter_id)
    try:
        if act == "rename":
            savedfilters.filter_rename(actor=user, kept=kept, name=request.POST.get("name", ""))
        elif act == "delete":
            savedfilters.filter_delete(actor=user, kept=kept)
            messages.success(request, _("The filter %(name)s is deleted.") % {"name": kept.name})
        elif act in {"default", "plain"}:
            savedfilters.filter_make_default(actor=user, kept=kept, default=act == "default")
    except Rejected as rejected:
        return _filters_page(request, user, rejected, changed=filter_id)
    return redirect("workloads:filters")


@route(Action.WORKLOAD_VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def act_on_several(request: HttpRequest) -> HttpResponse:
    """Show what an act on the selected rows would do; a POST does it and tells the outcome of each."""
    user = person(request)
    given = request.POST if request.method == "POST" else request.GET
    act = given.get("act", "")
    if act not in bulk.ACTS:
        raise Rejected({"act": [_("This cannot be done to several workloads at once.")]})
    ids = ids_of(given.getlist("ids"))
    context: dict[str, Any] = {"act": act, "back_url": _list_url(given.get("query", ""), user)}
    if request.method == "POST":
        outcomes = _done(user, act, ids, given.get("idempotency_key", ""))
        context |= {"outcomes": outcomes, "done": sum(outcome.done for outcome in outcomes)}
        return render(request, "workloads/bulk_done.html", context)
    found = bulk.rows_of(user=user, ids=ids)
    told = [(row, bulk.obstacle(actor=user, workload=row.item, act=act)) for row in presentation.told_all(found)]
    able = [row for row, obstacle in told if not obstacle]
    context |= {"rows": told, "able": able, "idempotency_key": uuid.uuid4(), "query": given.get("query", "")}
    return render(request, "workloads/bulk.html", context)


def ids_of(texts: list[str]) -> list[uuid.UUID]:
    """Return the ids among some texts; one more than can be asked for at once at most, so that too many is seen."""
    ids = []
    for text in texts[: selectors.MOST_ROWS_ASKED + 1]:
        try:
            ids.append(uuid.UUID(text))
        except ValueError:
            continue
    return ids


def _page(user: User, listing: Listing) -> Page:
    return selectors.workload_list(
        user=user,
        filters=listing.filters,
        cursor=listing.cursor,
        oldest_first=listing.oldest_first,
    )


def _done(user: User, act: str, ids: list[uuid.UUID], key: str) -> list[bulk.Outcome]:
    if act == "cancel":
        return bulk.bulk_cancel(actor=user, ids=ids)
    keys = ids_of([key])
    if not keys:
        raise Rejected({"idempotency_key": [_("This form is out of date. Choose the workloads again.")]})
    return bulk.bulk_clone(actor=user, ids=ids, idempotency_key=str(keys[0]))


def _columns(request: HttpRequest, user: User) -> dict[str, Any]:
    chosen = columns.chosen_of(request.COOKIES.get(columns.COOKIE, ""))
    several = shows_tenants(user)
    offered = [column for column in columns.OPTIONAL if several or column.key != "tenant"]
    return {"several": several, "chosen": chosen, "offered": offered}


def _filters_page(request: HttpRequest, user: User, rejected: Rejected | None = None, **context: Any) -> HttpResponse:
    errors = [str(text) for texts in rejected.fields.values() for text in texts] if rejected else []
    context |= {"kept": savedfilters.filters_of(user=user), "errors": errors}
    return render(request, "workloads/filters.html", context, status=400 if rejected else 200)


def _list_url(query: str, user: User) -> str:
    listing: Listing = listing_of(_query(query), user)
    return reverse("workloads:list") + listing.saved_query


def _query(text: str) -> QueryDict:
    return QueryDict(text.lstrip("?"))
