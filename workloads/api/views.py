"""Endpoints of lists, submission, and what is done to a workload. A handler parses, asks one service, and tells."""

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.once import idempotency_key, replayed
from portal.core.api.paging import BadCursor, limit_of, list_response, page_serializer, token_of
from portal.core.api.views import ApiView, caller, endpoint, parsed, parsed_query
from portal.core.errors import NotVisible
from portal.core.models import Scope, User
from portal.core.policy import Action
from tenants.selectors import tenant_get
from workloads import explain, selectors, services
from workloads.api import shapes, told
from workloads.api.requests import (
    CloneSerializer,
    ListQuerySerializer,
    SpecSerializer,
    attr_of,
    complaints_by_attr,
    filters_of,
    overrides_of,
    spec_of,
)
from workloads.models import Workload
from workloads.verdict import Answer, asking, forecast_of, last_place_of

_PAGE = page_serializer(shapes.WorkloadRowSerializer)


class WorkloadsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: _PAGE}, query=ListQuerySerializer)
    def get(self, request: Request) -> Response:
        """List the workloads that you may see, newest first."""
        return _listed(request)


class TenantWorkloadsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: _PAGE}, query=ListQuerySerializer)
    def get(self, request: Request, slug: str) -> Response:
        """List a tenant's workloads, newest first."""
        return _listed(request, tenant_get(user=caller(request), slug=slug).slug)

    @endpoint(
        Action.WORKLOAD_SUBMIT,
        body=SpecSerializer,
        answers={201: shapes.WorkloadSerializer},
        scope=Scope.SUBMIT,
        creates=True,
    )
    def post(self, request: Request, slug: str) -> Response:
        """Submit a workload. Over the tenant's limits it waits; what can never start is refused at its field."""
        user = caller(request)
        tenant = tenant_get(user=user, slug=slug)
        spec = spec_of(parsed(SpecSerializer, request))
        with complaints_by_attr():
            workload, found = services.workload_submit(
                actor=user, tenant=tenant, spec=spec, idempotency_key=idempotency_key(request)
            )
        return replayed(Response(workload_data(user, workload.pk), status=201), found=found)


class WorkloadVerdictView(ApiView):
    @endpoint(Action.WORKLOAD_SUBMIT, body=SpecSerializer, answers={200: shapes.VerdictSerializer}, scope=Scope.SUBMIT)
    def post(self, request: Request, slug: str) -> Response:
        """Say what would happen to a submission now; nothing is written."""
        user = caller(request)
        tenant = tenant_get(user=user, slug=slug)
        spec = spec_of(parsed(SpecSerializer, request))
        problems = services.submission_problems(actor=user, tenant=tenant, spec=spec)
        asked = asking(user=user, tenant=tenant, resources=spec.resources, priority=spec.priority)
        forecast = forecast_of(asked)
        card = forecast.explanation
        waits = forecast.answer is Answer.QUEUED and not problems
        why = {"code": forecast.reason.value, "text": forecast.reason_text, "sentence": card.sentence if card else ""}
        return Response(
            {
                "verdict": Answer.NEVER if problems else forecast.answer,
                "position": last_place_of(asked) if waits else None,
                "eta_s": None,
                "reasons": [why] if forecast.reason else [],
                "alternatives": told.explanation_told(card)["options"] if card else [],  # type: ignore[index]
                "violations": [
                    {"attr": attr_of(problem.field), "code": problem.code, "detail": explain.problem_text(problem)}
                    for problem in problems
                ],
            }
        )


class WorkloadView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: shapes.WorkloadSerializer})
    def get(self, request: Request, workload_id: UUID) -> Response:
        """Show a workload with its spec, runs and pods."""
        return Response(workload_data(caller(request), workload_id))

    @endpoint(Action.WORKLOAD_CANCEL, answers={204: None}, scope=Scope.SUBMIT)
    def delete(self, request: Request, workload_id: UUID) -> Response:
        """Take a workload that has ended out of all lists, for good."""
        user = caller(request)
        services.workload_hide(actor=user, workload=selectors.workload_get(user=user, workload_id=workload_id))
        return Response(status=204)


class WorkloadCancelView(ApiView):
    @endpoint(Action.WORKLOAD_CANCEL, answers={200: shapes.WorkloadSerializer}, scope=Scope.SUBMIT)
    def post(self, request: Request, workload_id: UUID) -> Response:
        """Cancel a workload; twice is the same as once, after its end 409."""
        user = caller(request)
        services.workload_cancel(actor=user, workload=selectors.workload_get(user=user, workload_id=workload_id))
        return Response(workload_data(user, workload_id))


class WorkloadCloneView(ApiView):
    @endpoint(
        Action.WORKLOAD_SUBMIT,
        body=CloneSerializer,
        answers={201: shapes.WorkloadSerializer},
        scope=Scope.SUBMIT,
        creates=True,
    )
    def post(self, request: Request, workload_id: UUID) -> Response:
        """Submit a workload's spec again with changes; the source becomes its parent."""
        user = caller(request)
        source = selectors.workload_get(user=user, workload_id=workload_id)
        changes = overrides_of(parsed(CloneSerializer, request, partial=True))
        with complaints_by_attr():
            workload = services.workload_clone(
                actor=user, source=source, overrides=changes, idempotency_key=idempotency_key(request)
            )
        return Response(workload_data(user, workload.pk), status=201)


def workload_data(user: User, workload_id: UUID) -> dict[str, Any]:
    """Return a workload as it is shown alone. Four statements."""
    workload = selectors.workload_get(user=user, workload_id=workload_id)
    attempts, pods = selectors.attempts_of(workload), selectors.pods_of(workload)
    return told.workload_told(workload, attempts, pods, _parent(user, workload))


def _parent(user: User, workload: Workload) -> UUID | None:
    if workload.parent_id is None:
        return None
    try:
        return selectors.workload_get(user=user, workload_id=workload.parent_id).pk
    except NotVisible:
        return None


def _listed(request: Request, tenant: str = "") -> Response:
    token = token_of(request)
    cursor = selectors.cursor_of(token) if token else None
    if token is not None and cursor is None:
        raise BadCursor
    asked = parsed_query(ListQuerySerializer, request)
    page = selectors.workload_list(
        user=caller(request),
        filters=filters_of(asked, tenant=tenant),
        cursor=cursor,
        limit=limit_of(request),
        oldest_first=asked["order"] == "oldest",
    )
    return list_response(request, [told.row_told(row) for row in page.rows], page.older.token() if page.older else None)
