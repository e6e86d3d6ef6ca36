"""The audit trail as a page and as files. A handler parses, asks one selector, and renders."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from portal.core import auditreads, policy
from portal.core.auditreads import Filters
from portal.core.downloads import BYTE_ORDER_MARK, CSV, csv_cell, csv_lines, download
from portal.core.models import AuditEntry
from portal.core.policy import Action
from portal.core.routes import person, route
from tenants.history import sentence
from tenants.models import Tenant

PAGE_ROWS = 50
FILE_ROWS = 500
MAX_TEXT = 150
_DATE = {"type": "date"}
KINDS = {
    "": _("Everything"),
    "workload.": _("Workloads"),
    "tenant.": _("Tenants and quotas"),
    "membership.": _("Members"),
    "cohort.": _("Cohorts"),
    "resource_type.": _("Resource types"),
    "template.": _("Templates"),
    "user.": _("Accounts"),
    "token.": _("API tokens"),
}
COLUMNS = ("id", "time", "actor", "action", "target_type", "target_id", "tenant_id", "before", "after", "request_id")


class FilterForm(forms.Form):
    """What narrows the list. What cannot be read narrows nothing and is told."""

    actor = forms.CharField(label=_("Who"), required=False, max_length=MAX_TEXT)
    action = forms.ChoiceField(label=_("What"), required=False, choices=list(KINDS.items()))
    tenant = forms.SlugField(label=_("Tenant"), required=False, max_length=40)
    target = forms.CharField(label=_("Id of an object"), required=False, max_length=64)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(_DATE))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput(_DATE))

    def clean_tenant(self) -> Tenant | None:
        slug = self.cleaned_data["tenant"]
        found = Tenant.objects.filter(slug=slug).first() if slug else None
        if slug and found is None:
            raise forms.ValidationError(_("There is no tenant of this slug."), code="unknown")
        return found

    def filters(self) -> Filters:
        """Return what was given and could be read."""
        values: dict[str, Any] = getattr(self, "cleaned_data", {})
        since, until, tenant = values.get("since"), values.get("until"), values.get("tenant")
        return Filters(
            actor=values.get("actor", ""),
            action=values.get("action", ""),
            target=values.get("target", ""),
            tenant_id=tenant.pk if tenant else None,
            since=_midnight(since) if since else None,
            until=_midnight(until + dt.timedelta(days=1)) if until else None,
        )


@route(Action.AUDIT_VIEW)
@require_GET
def trail(request: HttpRequest) -> HttpResponse:
    user = person(request)
    policy.require(user, Action.AUDIT_VIEW)
    form = FilterForm(request.GET)
    form.is_valid()
    before = _number(request.GET.get("before", ""))
    rows = auditreads.entries(user=user, filters=form.filters())
    taken = list((rows.filter(pk__lt=before) if before else rows)[: PAGE_ROWS + 1])
    kept = {name: value for name in form.fields if (value := request.GET.get(name))}
    shown = taken[:PAGE_ROWS]
    context = {
        "form": form,
        "rows": [(entry, sentence(entry)) for entry in shown],
        "query": urlencode(kept),
        "next_url": "?" + urlencode({**kept, "before": shown[-1].pk}) if len(taken) > PAGE_ROWS else "",
        "first_url": "?" + urlencode(kept) if before else "",
        "narrowed": bool(kept),
    }
    return render(request, "web/audit.html", context, status=400 if form.errors else 200)


@route(Action.AUDIT_VIEW)
@require_GET
def as_csv(request: HttpRequest) -> StreamingHttpResponse:
    return download(request, _csv(_rows(request)), name=_name("csv"), content_type=CSV)


@route(Action.AUDIT_VIEW)
@require_GET
def as_json(request: HttpRequest) -> StreamingHttpResponse:
    return download(request, _json(_rows(request)), name=_name("json"), content_type="application/json")


def _rows(request: HttpRequest) -> Iterator[list[AuditEntry]]:
    """Give what the filters let through in parts of at most 500, one statement each. Raises Denied at once."""
    form = FilterForm(request.GET)
    form.is_valid()
    found = auditreads.entries(user=person(request), filters=form.filters())

    def parts() -> Iterator[list[AuditEntry]]:
        rows = list(found[:FILE_ROWS])
        while rows:
            yield rows
            rows = list(found.filter(pk__lt=rows[-1].pk)[:FILE_ROWS])

    return parts()


def _csv(parts: Iterator[list[AuditEntry]]) -> Iterator[bytes]:
    yield BYTE_ORDER_MARK + csv_lines([COLUMNS])
    for rows in parts:
        yield csv_lines([[csv_cell(_cell(value)) for value in _values(entry)] for entry in rows])


def _json(parts: Iterator[list[AuditEntry]]) -> Iterator[bytes]:
    yield b"["
    first = True
    for rows in parts:
        lines = [json.dumps(dict(zip(COLUMNS, _values(entry), strict=True)), default=str) for entry in rows]
        yield (("\n" if first else ",\n") + ",\n".join(lines)).encode()
        first = False
    yield b"\n]\n"


def _values(entry: AuditEntry) -> list[Any]:
    time = entry.time.astimezone(dt.UTC).isoformat()
    target = (entry.target_type, entry.target_id, entry.tenant_id)
    return [entry.pk, time, entry.actor_name, entry.action, *target, entry.before, entry.after, entry.request_id]


def _cell(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _name(ending: str) -> str:
    return f"audit-{timezone.localdate():%Y-%m-%d}.{ending}"
