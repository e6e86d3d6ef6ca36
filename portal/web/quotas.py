"""The quota table of all tenants, as a page and as a file. A handler parses, asks one selector, and renders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from gpu.selectors import node_offers
from portal.core import policy
from portal.core.downloads import BYTE_ORDER_MARK, CSV, csv_lines, download
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.web.quota_forms import BulkForm, Cell, RowsForm, cells_of
from tenants.forms import BOUNDS
from tenants.gauges import amount_text, quota_row
from tenants.ledger import Pair
from tenants.quotacsv import HEAD, cells
from tenants.quotatable import Narrowing, QuotaTable, TableRow, Total, quota_table
from tenants.specs import Unit

PAGE_ROWS = 50
FILE_ROWS = 5_000  # each part works all sums out anew
MOST_PAGES = 10_000
MOST_TEXT = 120
EVERY = "*"
_SORTS = ("share", "tenant")


@dataclass(frozen=True, slots=True)
class Listing:
    """What the address of the table asks for; what cannot be read narrows nothing."""

    narrowing: Narrowing
    sort: str
    page: int
    edit: str  # the slug of the tenant whose rows are inputs; EVERY for all of the page

    def query(self, **changes: str | int) -> str:
        """Return the query string of this listing, or of one that differs from it; "" for the usual one."""
        usual = {"type": "", "cohort": "", "q": "", "sort": _SORTS[0], "page": 1, "edit": ""}
        narrowing = self.narrowing
        asked = {"type": narrowing.key, "cohort": narrowing.cohort, "q": narrowing.text, "sort": self.sort}
        values: Mapping[str, str | int] = {**asked, "page": self.page, "edit": self.edit, **changes}
        kept = {name: value for name, value in values.items() if value != usual[name]}
        return f"?{urlencode(kept)}" if kept else "?"


def listing_of(query: QueryDict) -> Listing:
    """Return what a query string asks for."""
    texts = {name: query.get(name, "").replace("\0", "").strip()[:MOST_TEXT] for name in ("type", "cohort", "q")}
    page, sort = query.get("page", ""), query.get("sort", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) <= len(str(MOST_PAGES)) else 1
    return Listing(
        Narrowing(key=texts["type"], cohort=texts["cohort"], text=texts["q"]),
        sort if sort in _SORTS else _SORTS[0],
        max(1, number),
        query.get("edit", ""),
    )


@route(Action.COHORT_VIEW)
@require_GET
def table(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.COHORT_VIEW)
    return table_page(request, user, listing_of(request.GET))


@route(Action.COHORT_VIEW)
@require_GET
def as_csv(request: HttpRequest) -> StreamingHttpResponse:
    user = person(request)
    policy.require(user, Action.COHORT_VIEW)
    return csv_file(request, user, listing_of(request.GET).narrowing)


def csv_file(request: HttpRequest, user: User, narrowing: Narrowing) -> StreamingHttpResponse:
    """Return the file of the rows that fit, by tenant; a statement for every 5,000."""
    name = f"quotas-{timezone.localdate():%Y-%m-%d}.csv"
    return download(request, _csv(user, narrowing), name=name, content_type=CSV)


def table_page(
    request: HttpRequest,
    user: User,
    listing: Listing,
    *,
    rows_form: RowsForm | None = None,
    bulk_form: BulkForm | None = None,
) -> HttpResponse:
    """Return the page of the table, or with a form that was posted what is wrong with it: 400.

    Two statements beside those of any page.
    """
    first, may_edit = (listing.page - 1) * PAGE_ROWS, policy.allowed(user, Action.TENANT_EDIT_LIMITS)
    by_share = listing.sort == _SORTS[0]
    found = quota_table(user=user, narrowing=listing.narrowing, limit=PAGE_ROWS, offset=first, by_share=by_share)
    frame = _frame(listing, found)
    editing = rows_form is not None or (may_edit and bool(listing.edit))
    form = rows_form or (_rows_form(listing, found) if editing else None)
    if may_edit and not editing and frame["type"]:
        bulk_form = bulk_form or BulkForm(found=frame["type"])
    context = {
        **frame,
        "rows": [_shown(listing, row, form) for row in found.rows],
        "first": first + 1,
        "last": first + len(found.rows),
        "fitting": found.fitting,
        "previous_url": listing.query(page=listing.page - 1) if listing.page > 1 else "",
        "next_url": listing.query(page=listing.page + 1) if first + PAGE_ROWS < found.fitting else "",
        "may_edit": may_edit,
        "editing": editing,
        "rows_form": form,
        "elsewhere": form.told_elsewhere(found.rows) if form else [],
        "bulk_form": bulk_form,
        "ticked": request.POST.getlist("ids"),
    }
    refused = any(given is not None and given.errors for given in (form, bulk_form))
    return render(request, "web/quotas.html", context, status=400 if refused else 200)


def _rows_form(listing: Listing, found: QuotaTable) -> RowsForm:
    """Return the form of the rows that are to be changed, as they are."""
    cells = cells_of(row for row in found.rows if listing.edit in (EVERY, row.slug))
    types = {total.type.key: total.type for total in found.totals}
    return RowsForm(cells=list(cells), types=types, initial={cell.name: held for cell, held in cells.items()})


def _frame(listing: Listing, found: QuotaTable) -> dict[str, Any]:
    """Return what stands round the rows: types to choose from, sums, links to other sights of the same."""
    narrowing = listing.narrowing
    chosen = next((total for total in found.totals if total.type.key == narrowing.key), None)
    whole = replace(listing, page=1, edit="")
    return {
        "listing": listing,
        "type": chosen.type if chosen else None,
        "all_url": whole.query(type=""),
        "types": [(total.type, whole.query(type=total.type.key)) for total in found.totals],
        "sums": sums_of([chosen] if chosen else found.totals),
        "narrowed": bool(narrowing.text or narrowing.cohort),
        "clear_url": whole.query(q="", cohort=""),
        "no_cohort_url": whole.query(cohort=""),
        "csv_query": whole.query(sort=_SORTS[0]),
        "query": listing.query(),
        "edit_all_url": listing.query(edit=EVERY),
        "stop_url": listing.query(edit=""),
    }


@dataclass(frozen=True, slots=True)
class Sum:
    """What is given to all tenants of a type, beside what the nodes offer ("" where none is known)."""

    label: str
    nominal: str
    offered: str
    used: str
    overhang: str
    above: bool


def sums_of(totals: list[Total]) -> list[Sum]:
    """Return the sums of these types in words. One statement."""
    types = [total.type for total in totals if not total.type.built_in]
    names = {found.key: found.kube_name for found in types if not found.gpu_product}
    nodes = node_offers(names, {found.key: found.gpu_product for found in types if found.gpu_product})
    offered = {total.type.key: sum(offers.get(total.type.key, 0) for offers, _usable in nodes) for total in totals}
    return [_sum(total, offered[total.type.key] if nodes else None) for total in totals]


def _sum(total: Total, offered: int | None) -> Sum:
    unit = Unit(total.type.unit)
    return Sum(
        label=total.type.label,
        nominal=amount_text(unit, total.nominal),
        offered="" if offered is None else amount_text(unit, offered),
        used=amount_text(unit, total.used),
        overhang=amount_text(unit, total.overhang) if total.overhang else "",
        above=offered is not None and total.nominal > offered,
    )


def _shown(listing: Listing, row: TableRow, form: RowsForm | None) -> dict[str, Any]:
    unit = Unit(row.line.type.unit)
    names = {bound: Cell(row.slug, row.key, bound).name for bound, _label in BOUNDS}
    return {
        "row": row,
        "quota": quota_row(row.line, Pair(row.line.line)),
        "lent": amount_text(unit, row.lent) if row.lent else "",
        "cohort_url": replace(listing, page=1, edit="").query(cohort=row.cohort) if row.cohort else "",
        "edit_url": listing.query(edit=row.slug),
        "fields": {bound: form[name] for bound, name in names.items() if form and name in form.fields},
    }


def _csv(user: User, narrowing: Narrowing) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK + csv_lines([HEAD])
    rows = quota_table(user=user, narrowing=narrowing, limit=FILE_ROWS).rows
    while rows:
        yield csv_lines([cells(row) for row in rows])
        after = rows[-1].place
        rows = quota_table(user=user, narrowing=narrowing, limit=FILE_ROWS, after=after).rows
