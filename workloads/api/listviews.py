"""Endpoints of what the list's page offers besides rows: CSV, one act on several workloads, saved filters."""

import uuid
from typing import Any

from django.db import transaction
from django.http import QueryDict, StreamingHttpResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.once import created_once, idempotency_key, replayed
from portal.core.api.views import ApiView, account_of, caller, endpoint, parsed, parsed_query
from portal.core.errors import Rejected
from portal.core.models import Scope, User
from portal.core.policy import Action
from workloads import bulk, columns, savedfilters
from workloads.api.requests import NarrowingSerializer, filters_of
from workloads.api.strict import StrictSerializer, TextField
from workloads.csvfile import csv_file
from workloads.listing import listing_of
from workloads.models import SavedFilter
from workloads.specs import MAX_FILTER_NAME, MAX_FILTER_QUERY

ACTS = [*bulk.ACTS, "hide"]


class BulkSerializer(StrictSerializer):
    """One act, on several workloads."""

    act = serializers.ChoiceField(choices=ACTS, help_text="hide: out of all lists, for good; only after its end.")
    ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=bulk.MOST_ROWS)


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    """What became of one of them."""

    id = serializers.UUIDField()
    done = serializers.BooleanField()
    detail = serializers.CharField(help_text="In the caller's language.")
    made = serializers.UUIDField(allow_null=True, help_text="The clone.")


class BulkOutcomesSerializer(serializers.Serializer[Any]):
    """What became of each, in the order asked for."""

    results = BulkOutcomeSerializer(many=True)


class SavedFilterSerializer(serializers.Serializer[SavedFilter]):
    """A narrowing of the list of workloads under a name."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    query = serializers.CharField(help_text="The query string of the list's page.")
    default = serializers.BooleanField(help_text="The list opens with it.")


class SavedFiltersSerializer(serializers.Serializer[Any]):
    """All of them."""

    results = SavedFilterSerializer(many=True)


class NewSavedFilterSerializer(StrictSerializer):
    """A filter to keep."""

    name = TextField(max_length=MAX_FILTER_NAME)
    query = TextField(max_length=MAX_FILTER_QUERY, help_text="As in the list's address: view=all&state=failed.")


class SavedFilterChangeSerializer(StrictSerializer):
    """What may be changed."""

    name = TextField(max_length=MAX_FILTER_NAME)
    default = serializers.BooleanField()


class WorkloadsCsvView(ApiView):
    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    @endpoint(Action.WORKLOAD_VIEW, answers={200: None}, query=NarrowingSerializer)
    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream the workloads that you may see as CSV, with every column, in your language."""
        asked = parsed_query(NarrowingSerializer, request)
        every = {column.key for column in columns.OPTIONAL}
        served = request._request  # noqa: SLF001 (the server's own request)
        oldest_first = asked["order"] == "oldest"
        return csv_file(served, caller(request), filters_of(asked), chosen=every, oldest_first=oldest_first)


class WorkloadsBulkView(ApiView):
    @endpoint(
        Action.WORKLOAD_VIEW,
        body=BulkSerializer,
        answers={200: BulkOutcomesSerializer},
        scope=Scope.SUBMIT,
        creates=True,
    )
    def post(self, request: Request) -> Response:
        """Cancel, clone or hide up to 100 workloads. What one refuses stops no other: look at `done` of each."""
        values = parsed(BulkSerializer, request)
        outcomes = _done(caller(request), values["act"], values["ids"], idempotency_key(request))
        rows = [
            {"id": each.id, "done": each.done, "detail": str(each.text), "made": each.made.pk if each.made else None}
            for each in outcomes
        ]
        return Response(BulkOutcomesSerializer({"results": rows}).data)


class SavedFiltersView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: SavedFiltersSerializer})
    def get(self, request: Request) -> Response:
        """List your saved filters by name, at most 30."""
        rows = savedfilters.filters_of(user=account_of(request))
        return Response(SavedFiltersSerializer({"results": rows}).data)

    @endpoint(Action.WORKLOAD_VIEW, body=NewSavedFilterSerializer, answers={201: SavedFilterSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Keep a filter under a name."""
        user, values = account_of(request), parsed(NewSavedFilterSerializer, request)
        query = _saved_query(values["query"], user)
        kept, again = created_once(
            request,
            lambda: savedfilters.filter_save(actor=user, name=values["name"], query=query),
            lambda first: savedfilters.filter_get(user=user, filter_id=first),
        )
        return replayed(Response(SavedFilterSerializer(kept).data, status=201), found=again)


class SavedFilterView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: SavedFilterSerializer})
    def get(self, request: Request, filter_id: uuid.UUID) -> Response:
        """Show one of your saved filters."""
        return Response(SavedFilterSerializer(_kept(request, filter_id)).data)

    @endpoint(Action.WORKLOAD_VIEW, body=SavedFilterChangeSerializer, answers={200: SavedFilterSerializer})
    def patch(self, request: Request, filter_id: uuid.UUID) -> Response:
        """Rename a saved filter, or let the list open with it or no longer."""
        user, kept = account_of(request), _kept(request, filter_id)
        values = parsed(SavedFilterChangeSerializer, request, partial=True)
        with transaction.atomic():
            if "name" in values:
                savedfilters.filter_rename(actor=user, kept=kept, name=values["name"])
            if "default" in values:
                savedfilters.filter_make_default(actor=user, kept=kept, default=values["default"])
        return Response(SavedFilterSerializer(_kept(request, filter_id)).data)

    @endpoint(Action.WORKLOAD_VIEW, answers={204: None})
    def delete(self, request: Request, filter_id: uuid.UUID) -> Response:
        """Forget a saved filter."""
        savedfilters.filter_delete(actor=account_of(request), kept=_kept(request, filter_id))
        return Response(status=204)


def _done(user: User, act: str, ids: list[uuid.UUID], key: str | None) -> list[bulk.Outcome]:
    if act == "cancel":
        return bulk.bulk_cancel(actor=user, ids=ids)
    if act == "hide":
        return bulk.bulk_hide(actor=user, ids=ids)
    # a client's key may be as long as a stored one; each row's is made of this and the row's id
    short = uuid.uuid5(uuid.NAMESPACE_URL, key) if key else uuid.uuid4()
    return bulk.bulk_clone(actor=user, ids=ids, idempotency_key=str(short))


def _kept(request: Request, filter_id: uuid.UUID) -> SavedFilter:
    return savedfilters.filter_get(user=account_of(request), filter_id=filter_id)


def _saved_query(text: str, user: User) -> str:
    """Return a query as the page would keep it. Raises Rejected where the page would leave something out."""
    asked = QueryDict(text.lstrip("?"))
    query = listing_of(asked, user).saved_query
    lost = sorted({name for name, value in asked.items() if value} - set(QueryDict(query.lstrip("?"))))
    if lost:
        raise Rejected({"query": [_("“%(name)s” means nothing to the list.") % {"name": lost[0]}]})
    return query
