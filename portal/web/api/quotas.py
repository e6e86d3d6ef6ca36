"""REST of the quotas of all tenants: the table, its file, and changes of many lines with a preview."""

import base64
import binascii
import json
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import policy
from portal.core.api.bodies import is_clean
from portal.core.api.paging import BadCursor, limit_of, list_response, page_serializer, token_of
from portal.core.api.views import ApiView, caller, endpoint, parsed, parsed_query
from portal.core.errors import Rejected, Text
from portal.core.policy import Action
from portal.web.quotas import csv_file
from tenants.api.quotashapes import BoundsSerializer, amount
from tenants.api.shapes import excess_field
from tenants.quotabulk import MOST_LINES, LineChange, LinesRejected, PoolChange, Preview, quotas_preview, quotas_set
from tenants.quotacsv import BOUNDS
from tenants.quotatable import FIRST, Narrowing, Place, TableRow, quota_table
from tenants.specs import Excess
from workloads.api.strict import StrictSerializer, TextField
from workloads.verdict import Effect, effect_of

_TWICE = _("A line of this tenant and type is there already.")


class TableQuerySerializer(StrictSerializer):
    """Which rows."""

    berth_allowed = frozenset({"limit", "cursor"})
    type = TextField(
        required=False, max_length=40, help_text="The key of a resource type; then every tenant has a row."
    )
    cohort = TextField(required=False, max_length=120, help_text="A name.")
    q = TextField(required=False, max_length=120, help_text="A part of a tenant's slug or name.")


class TableRowSerializer(BoundsSerializer):
    """A tenant's row of a resource type, in the type's unit."""

    tenant = serializers.CharField(help_text="A slug.")
    cohort = serializers.CharField(allow_null=True, help_text="A name.")
    used = amount(help_text="Held from admission until the pods are gone.")
    borrowed = amount(help_text="The part of `used` beyond `nominal`.")
    lent = amount(help_text="What others use of what it lends, in proportion to what each of the cohort has to lend.")
    overhang = amount(help_text="What is held beyond the limits; it was kept when they were lowered.")


class LineToSetSerializer(StrictSerializer):
    """A line to set; a bound that is not given stays as it is."""

    tenant = TextField(max_length=40, help_text="A slug.")
    type = TextField(max_length=40, help_text="The key of a resource type.")
    nominal = amount(required=False)
    borrow_limit = amount(required=False)
    lend_limit = amount(required=False)


class QuotasToSetSerializer(StrictSerializer):
    """Lines to set, all of them or none."""

    changes = serializers.ListField(child=LineToSetSerializer(), max_length=MOST_LINES)
    excess = excess_field()
    dry_run = serializers.BooleanField(default=False, help_text="Only tell what would change.")
    version = TextField(
        required=False, max_length=64, help_text="Of a dry run: refuse (409) if the bounds are others by now."
    )


class SetBoundsSerializer(serializers.Serializer[Any]):
    """Bounds alone."""

    nominal = amount()
    borrow_limit = amount()
    lend_limit = amount()


class SetLineSerializer(serializers.Serializer[Any]):
    """A line that changes; `kept` is what would be held beyond the limits and is not yet."""

    tenant = serializers.CharField()
    type = serializers.CharField()
    before = SetBoundsSerializer()
    after = SetBoundsSerializer()
    used = amount()
    kept = amount()
    kept_in_cohort = amount(help_text="The same of what its cohort lends.")


class SetPoolSerializer(serializers.Serializer[Any]):
    """What a cohort lends of a type, before and after, and what is taken of it after."""

    cohort = serializers.CharField()
    type = serializers.CharField()
    before = serializers.IntegerField()
    after = serializers.IntegerField()
    used = serializers.IntegerField()


class StoppedSerializer(serializers.Serializer[Any]):
    """A workload that goes back to the queue."""

    id = serializers.UUIDField()
    tenant = serializers.CharField()
    name = serializers.CharField()
    owner = serializers.CharField(help_text="A user name.")


class QuotasSetSerializer(serializers.Serializer[Any]):
    """What a change does; `version` names the bounds that it started from."""

    applied = serializers.BooleanField()
    version = serializers.CharField()
    lines = SetLineSerializer(many=True)
    pools = SetPoolSerializer(many=True)
    stops = StoppedSerializer(many=True, help_text="What `drain` would stop; in an answer of a change, what it has.")
    would_start = serializers.IntegerField(
        allow_null=True, help_text="Waiting workloads that would start; null in an answer that says what was done."
    )
    would_never_fit = serializers.IntegerField(allow_null=True, help_text="Ones that could never start after it.")


class QuotasView(ApiView):
    """The quotas of all tenants."""

    @endpoint(Action.COHORT_VIEW, query=TableQuerySerializer, answers={200: page_serializer(TableRowSerializer)})
    def get(self, request: Request) -> Response:
        """List the quotas of all tenants, by tenant and type; for platform admins and auditors."""
        limit, token = limit_of(request), token_of(request)
        after = FIRST if token is None else _place(token)
        found = quota_table(user=caller(request), narrowing=_narrowing(request), limit=limit + 1, after=after)
        shown = found.rows[:limit]
        more = _token(shown[-1].place) if len(found.rows) > limit else None
        return list_response(request, TableRowSerializer([_row(row) for row in shown], many=True).data, more)

    @endpoint(Action.TENANT_EDIT_LIMITS, body=QuotasToSetSerializer, answers={200: QuotasSetSerializer})
    def post(self, request: Request) -> Response:
        """Set quotas of many tenants, all or none, or tell with `dry_run` what that would do; platform admins only.

        Where more is held than would be allowed, the change is refused unless `excess` says what becomes of it.
        """
        user = caller(request)
        policy.require(user, Action.TENANT_EDIT_LIMITS)
        values = parsed(QuotasToSetSerializer, request)
        places: dict[tuple[str, str], int] = {}
        for index, line in enumerate(values["changes"]):
            if places.setdefault((line["tenant"], line["type"]), index) != index:
                raise Rejected({f"changes.{index}": [_TWICE]})
        wanted = {
            (line["tenant"], line["type"]): {name: line[name] for name in BOUNDS if name in line}
            for line in values["changes"]
        }
        try:
            if values["dry_run"]:
                found = quotas_preview(actor=user, wanted=wanted)
                return _answer(found, effect_of(found.bounds))
            excess = Excess(values["excess"])
            return _answer(quotas_set(actor=user, wanted=wanted, seen=values.get("version"), excess=excess), None)
        except LinesRejected as rejected:
            raise Rejected(_by_index(rejected, places)) from rejected


class QuotasCsvView(ApiView):
    """The same as a file."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @endpoint(Action.COHORT_VIEW, query=TableQuerySerializer, answers={200: None})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream the quotas of all tenants as CSV; for platform admins and auditors."""
        user = caller(request)
        policy.require(user, Action.COHORT_VIEW)
        return csv_file(request._request, user, _narrowing(request))  # noqa: SLF001 (the server's own request)


def _narrowing(request: Request) -> Narrowing:
    asked = parsed_query(TableQuerySerializer, request)
    return Narrowing(key=asked.get("type", ""), cohort=asked.get("cohort", ""), text=asked.get("q", ""))


def _row(row: TableRow) -> dict[str, Any]:
    line = row.line
    told = {"tenant": row.slug, "cohort": row.cohort or None, "type": row.key, "lent": row.lent}
    amounts = {name: getattr(line, name) for name in (*BOUNDS, "used", "overhang")}
    return {**told, **amounts, "borrowed": line.line.borrowed}


def _answer(found: Preview, effect: Effect | None) -> Response:
    told = {
        "applied": effect is None,
        "version": found.version,
        "lines": [_line(line) for line in found.lines],
        "pools": [_pool(pool) for pool in found.pools],
        "stops": _stops(found),
        "would_start": effect.starts if effect else None,
        "would_never_fit": effect.never if effect else None,
    }
    return Response(QuotasSetSerializer(told).data)


def _line(line: LineChange) -> dict[str, Any]:
    return {
        "tenant": line.tenant.slug,
        "type": line.type.key,
        "before": line.before.line.bounds,
        "after": line.after.line.bounds,
        "used": line.after.line.used,
        "kept": line.kept,
        "kept_in_cohort": line.kept_in_cohort,
    }


def _stops(found: Preview) -> list[dict[str, Any]]:
    slugs = {line.tenant.pk: line.tenant.slug for line in found.lines}
    return [
        {"id": each.id, "tenant": slugs[each.tenant_id], "name": each.name, "owner": each.owner} for each in found.stops
    ]


def _pool(pool: PoolChange) -> dict[str, Any]:
    told = {"cohort": pool.cohort, "type": pool.type.key, "used": pool.after.used}
    return {**told, "before": pool.before.lendable, "after": pool.after.lendable}


def _by_index(rejected: LinesRejected, places: dict[tuple[str, str], int]) -> dict[str, list[Text]]:
    """Return what is wrong with lines as what is wrong at the places of the body."""
    return {
        f"changes.{places[line]}.{at}": list(texts)
        for line, found in rejected.lines.items()
        for at, texts in found.items()
    }


def _token(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(token: str) -> Place:
    try:
        slug, position, key = json.loads(base64.urlsafe_b64decode(token[:2_000] + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise BadCursor from error
    fits = isinstance(slug, str) and isinstance(key, str) and is_clean(slug + key) and type(position) is int
    if not fits or not -1 <= position < 2**31:
        raise BadCursor
    return Place(slug, position, key)
