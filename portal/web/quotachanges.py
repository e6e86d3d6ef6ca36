"""Changes of the quota table: a preview of what they do, then the change. A handler parses, asks, and renders.

Whatever a change comes from, inputs of the table, one bound for many or a file, its preview hands it on as a file's
text, and the version of what it was made from.
"""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from portal.core import policy
from portal.core.errors import Conflict
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.web.quota_forms import BulkForm, ExcessForm, RowsForm, cells_named, told_errors
from portal.web.quotas import Listing, listing_of, sums_of, table_page
from tenants import quotacsv
from tenants.forms import BOUNDS, RejectingForm
from tenants.gauges import amount_text
from tenants.ledger import Bounds
from tenants.quotabulk import (
    MOST_LINES,
    LineChange,
    LinesRejected,
    PoolChange,
    Preview,
    Wanted,
    quotas_preview,
    quotas_set,
)
from tenants.quotacsv import CsvRejected, Problem
from tenants.quotaservices import stopping_text, types_by_key
from tenants.quotatable import Narrowing, quota_table
from tenants.specs import Excess, Unit
from workloads.verdict import effect_of

MOST_SHOWN = 200
MOST_HANDED_ON = 1_000_000  # bytes, with the rest of the form below what a request may hold


class CsvForm(RejectingForm):
    """A file, or its text."""

    file = forms.FileField(label=gettext_lazy("CSV file"), required=False, widget=forms.FileInput({"accept": ".csv"}))
    text = forms.CharField(
        label=gettext_lazy("Or its text"),
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": "8", "class": "mono", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        file, text = values.get("file"), values.get("text") or ""
        if file is None and not text.strip():
            self.add_error("file", _("Choose a file, or paste its text."))
        elif file is not None and file.size > quotacsv.MOST_BYTES:
            self.add_error("file", _("The file is larger than 1 MiB."))
        elif file is not None:
            try:
                values["text"] = file.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                self.add_error("file", _("The file is not text in UTF-8."))
        return values


@route(Action.TENANT_EDIT_LIMITS)
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TENANT_EDIT_LIMITS)
    listing = listing_of(request.GET)
    if request.POST.get("act") == "bulk":
        return _bulk(request, user, listing)
    types = types_by_key()
    form = RowsForm(request.POST, cells=cells_named(request.POST, types), types=types)
    if form.is_valid():
        found = _previewed(form, lambda: quotas_preview(actor=user, wanted=form.wanted()))
        if found is not None:
            return _preview_page(request, user, found, back=listing.query(edit=""))
    return table_page(request, user, listing, rows_form=form)


@route(Action.TENANT_EDIT_LIMITS)
@require_http_methods(["GET", "HEAD", "POST"])
def import_csv(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.TENANT_EDIT_LIMITS)
    form = CsvForm(request.POST or None, request.FILES or None)
    problems: list[Problem] = []
    if form.is_valid():
        try:
            read = quotacsv.read(form.cleaned_data["text"])
            try:
                return _preview_page(request, user, quotas_preview(actor=user, wanted=read.wanted), back="?")
            except LinesRejected as rejected:
                problems = read.rejected(rejected.lines).problems
        except CsvRejected as rejected:
            problems = rejected.problems
    context = {"form": form, "problems": problems, "columns": quotacsv.HEAD}
    return render(request, "web/quota_import.html", context, status=400 if problems or form.errors else 200)


@route(Action.TENANT_EDIT_LIMITS)
@require_POST
def apply(request: HttpRequest) -> HttpResponse:
    user, given = person(request), request.POST
    policy.require(user, Action.TENANT_EDIT_LIMITS)
    back = listing_of(QueryDict(given.get("back", "").removeprefix("?"))).query(edit="")
    try:
        wanted = quotacsv.read(given.get("changes", "")).wanted
        done = quotas_set(actor=user, wanted=wanted, seen=given.get("seen", ""), excess=_excess(request))
    except Conflict as conflict:
        return _again(request, user, wanted, back=back, problem=str(conflict.message), status=409)
    except LinesRejected as rejected:
        problem = " ".join(told_errors(rejected.beside_choice()))
        return _again(request, user, wanted, back=back, problem=problem, status=400)
    except CsvRejected as rejected:
        messages.error(request, str(rejected.problems[0].text))
        return redirect(reverse("quotas:list") + back)
    text = ngettext("%(n)d quota is changed.", "%(n)d quotas are changed.", len(done.lines))
    messages.success(request, text % {"n": len(done.lines)})
    if done.stops:
        text = ngettext(
            "%(n)d workload is stopped and waits again.", "%(n)d workloads are stopped and wait again.", len(done.stops)
        )
        messages.info(request, text % {"n": len(done.stops)})
    return redirect(reverse("quotas:list") + back)


def _excess(request: HttpRequest) -> Excess:
    form = ExcessForm(request.POST)
    return form.cleaned_data["excess"] if form.is_valid() else Excess.REFUSE


def _bulk(request: HttpRequest, user: User, listing: Listing) -> HttpResponse:
    """Preview one bound of the chosen type for the ticked tenants, or for all that fit."""
    chosen = types_by_key().get(listing.narrowing.key)
    if chosen is None:
        return redirect("quotas:list")
    form = BulkForm(request.POST, found=chosen)
    if form.is_valid():
        every, ids = "every" in request.POST, set(request.POST.getlist("ids"))
        narrowing = listing.narrowing if every else replace(listing.narrowing, cohort="", text="")
        fitting = quota_table(user=user, narrowing=narrowing, limit=MOST_LINES).rows
        rows = [row for row in fitting if every or row.slug in ids]
        if not rows:
            form.add_error(None, _("Tick at least one tenant."))
        else:
            found = _previewed(form, lambda: quotas_preview(actor=user, wanted=form.wanted(rows)))
            if found is not None:
                return _preview_page(request, user, found, back=listing.query())
    return table_page(request, user, listing, bulk_form=form)


def _previewed(form: RowsForm | BulkForm, ask: Callable[[], Preview]) -> Preview | None:
    """Ask for a preview; what is refused stands in the form."""
    try:
        return ask()
    except LinesRejected as rejected:
        form.show(rejected)
        return None


def _again(request: HttpRequest, user: User, wanted: Wanted, *, back: str, problem: str, status: int) -> HttpResponse:
    """Return the preview anew, as things are now, with what kept the change from being made."""
    try:
        found = quotas_preview(actor=user, wanted=wanted)
    except LinesRejected as rejected:
        messages.error(request, " ".join(told_errors(rejected.lines)))
        return redirect(reverse("quotas:list") + back)
    return _preview_page(request, user, found, back=back, problem=problem, status=status)


def _preview_page(
    request: HttpRequest, user: User, found: Preview, *, back: str, problem: str = "", status: int = 200
) -> HttpResponse:
    if not found.lines:
        messages.info(request, _("These bounds are set already: nothing changes."))
        return redirect(reverse("quotas:list") + back)
    changes = quotacsv.written(found)
    if len(changes.encode()) > MOST_HANDED_ON:
        messages.error(request, _("These are too many lines for one step. Change them in parts."))
        return redirect(reverse("quotas:list") + back)
    needy = {id(line) for line in found.excessive}
    lines = sorted(found.lines, key=lambda line: id(line) not in needy)
    context = {
        "lines": [_line_told(line) for line in lines[:MOST_SHOWN]],
        "count": len(lines),
        "tenants": len({line.tenant.pk for line in lines}),
        "more": max(0, len(lines) - MOST_SHOWN),
        "pools": [_pool_told(pool) for pool in found.pools],
        "sums": _sums_after(user, found),
        "effect": effect_of(found.bounds),
        "excessive": found.excessive,
        "form": ExcessForm(request.POST if status == HTTPStatus.BAD_REQUEST else None) if found.excessive else None,
        "stops": stopping_text(found.stops) if found.stops else "",
        "changes": changes,
        "seen": found.version,
        "back": back,
        "problem": problem,
    }
    return render(request, "web/quota_preview.html", context, status=status)


def _line_told(line: LineChange) -> dict[str, Any]:
    unit, before, after = Unit(line.type.unit), line.before.line, line.after.line
    return {
        "tenant": line.tenant,
        "label": line.type.label,
        "bounds": [_moved(unit, name, before.bounds, after.bounds) for name, _label in BOUNDS],
        "used": amount_text(unit, after.used),
        "kept": amount_text(unit, line.kept) if line.kept else "",
        "kept_in_cohort": amount_text(unit, line.kept_in_cohort) if line.kept_in_cohort else "",
    }


def _moved(unit: Unit, name: str, before: Bounds, after: Bounds) -> tuple[str, str]:
    """Return a bound before ("" where it stays) and after."""
    old, new = getattr(before, name), getattr(after, name)
    return ("" if old == new else amount_text(unit, old)), amount_text(unit, new)


def _pool_told(pool: PoolChange) -> dict[str, Any]:
    unit = Unit(pool.type.unit)
    told = {"cohort": pool.cohort, "label": pool.type.label, "used": amount_text(unit, pool.after.used)}
    return told | {
        "before": amount_text(unit, pool.before.lendable),
        "after": amount_text(unit, pool.after.lendable),
        "free": amount_text(unit, pool.after.free),
    }


def _sums_after(user: User, found: Preview) -> list[Any]:
    """Return what all tenants would have of each type that changes, beside what the nodes offer. Two statements."""
    more: dict[str, int] = {}
    for line in found.lines:
        key, old, new = line.type.key, line.before.line.bounds, line.after.line.bounds
        more[key] = more.get(key, 0) + new.nominal - old.nominal
    totals = quota_table(user=user, narrowing=Narrowing(), limit=0).totals
    return sums_of(
        [replace(total, nominal=total.nominal + more[total.type.key]) for total in totals if total.type.key in more]
    )
