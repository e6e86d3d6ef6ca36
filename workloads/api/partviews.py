"""Endpoints of a workload's parts: why it waits, events, pods, manifests, logs, two compared."""

from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.paging import keyset_page, list_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, parsed_query
from portal.core.installation import installation_id
from portal.core.policy import Action
from workloads import explain, presentation, selectors
from workloads.api import shapes, told
from workloads.api.requests import LogQuerySerializer, ManifestsQuerySerializer
from workloads.compare import spec_differences
from workloads.logfile import log_file
from workloads.logs.search import Stretch, Wanted, stretch_of
from workloads.models import Pod, Workload
from workloads.verdict import place_of


class WorkloadExplainView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: shapes.ExplainedSerializer})
    def get(self, request: Request, workload_id: UUID) -> Response:
        """Say why a workload waits or failed: a sentence, numbers, what would help."""
        workload = _workload(request, workload_id)
        place = place_of(workload)
        return Response(
            {
                "state": workload.state,
                "reason_code": workload.reason_code,
                "reason": explain.reason_text(workload.reason_code, workload.reason_params),
                "position": place,
                "explanation": told.explanation_told(explain.explanation(workload, place=place)),
            }
        )


class WorkloadEventsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: page_serializer(shapes.EventSerializer)})
    def get(self, request: Request, workload_id: UUID) -> Response:
        """List what happened to a workload, newest first."""
        rows = _workload(request, workload_id).events.select_related("actor")
        page = keyset_page(request, rows, order=("-id",))
        return list_response(request, [told.event_told(row) for row in page.rows], page.token)


class WorkloadClusterEventsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: page_serializer(shapes.ClusterEventSerializer)})
    def get(self, request: Request, workload_id: UUID) -> Response:
        """List what Kubernetes reported of a workload's Jobs and pods, what came last first."""
        page = keyset_page(request, _workload(request, workload_id).cluster_events.all(), order=("-id",))
        return list_response(request, [told.cluster_event_told(row) for row in page.rows], page.token)


class WorkloadPodsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: page_serializer(shapes.PodSerializer)})
    def get(self, request: Request, workload_id: UUID) -> Response:
        """List the pods of all attempts, the oldest attempt's first."""
        rows = Pod.objects.filter(attempt__workload=_workload(request, workload_id)).select_related("attempt")
        page = keyset_page(request, rows, order=("attempt__n", "index", "uid"))
        return list_response(request, [told.pod_told(row) for row in page.rows], page.token)


class WorkloadManifestsView(ApiView):
    @extend_schema(responses={(200, "application/yaml"): OpenApiTypes.OBJECT})
    @endpoint(Action.WORKLOAD_VIEW, answers={200: None}, query=ManifestsQuerySerializer)
    def get(self, request: Request, workload_id: UUID) -> HttpResponse:
        """Show the objects of an attempt as they are given to the cluster, in YAML."""
        workload = _workload(request, workload_id)
        asked = parsed_query(ManifestsQuerySerializer, request).get("attempt")
        chosen = selectors.attempt_chosen(selectors.attempts_of(workload), str(asked or ""))
        text = presentation.manifests_yaml(workload, chosen, installation_id())
        return HttpResponse(text, content_type="application/yaml; charset=utf-8")


class WorkloadDiffView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: shapes.DiffSerializer})
    def get(self, request: Request, workload_id: UUID, other_id: UUID) -> Response:
        """Tell two workloads apart: their specs field by field, and how both went."""
        left, right = _workload(request, workload_id), _workload(request, other_id)
        return Response(told.diff_told(left, right, spec_differences(left.spec, right.spec)))


class WorkloadLogsView(ApiView):
    @endpoint(Action.WORKLOAD_VIEW, answers={200: shapes.LogSerializer}, query=LogQuerySerializer)
    def get(self, request: Request, workload_id: UUID) -> Response:
        """Read lines of a log. A call looks through a bounded stretch: go on at `next` or `prev` even without lines."""
        workload = _workload(request, workload_id)
        asked = parsed_query(LogQuerySerializer, request)
        since = asked.get("since")
        wanted = Wanted(
            limit=asked["limit"],
            after=asked.get("after"),
            before=asked.get("before"),
            since_ns=int(since.timestamp() * 1_000_000) * 1000 if since else None,
            pod=asked.get("pod", ""),
            attempt=asked.get("attempt"),
            text=asked.get("grep", ""),
        )
        found = stretch_of(workload.pk, wanted)
        response = Response(
            {
                "lines": [told.line_told(line) for line in found.lines if not told.is_gap(line)],
                "next": _next(workload, wanted, found),
                "prev": _prev(wanted, found),
                "gaps": [told.gap_told(line) for line in found.lines if told.is_gap(line)],
            }
        )
        response["Cache-Control"] = "private, no-store"
        return response


class WorkloadLogDownloadView(ApiView):
    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    @endpoint(Action.WORKLOAD_VIEW, answers={200: None})
    def get(self, request: Request, workload_id: UUID) -> StreamingHttpResponse:
        """Stream the whole log as text."""
        return log_file(request._request, _workload(request, workload_id))  # noqa: SLF001 (the server's own request)


def _workload(request: Request, workload_id: UUID) -> Workload:
    return selectors.workload_get(user=caller(request), workload_id=workload_id)


def _next(workload: Workload, wanted: Wanted, found: Stretch) -> int | None:
    """Return the number after which to go on: the same again while the log may still grow, None at its very end."""
    last = found.last_seq or (wanted.after if wanted.after is not None else (wanted.before or 1) - 1)
    return None if workload.log_sealed and last >= workload.readable_last_seq else max(last, 0)


def _prev(wanted: Wanted, found: Stretch) -> int | None:
    first = found.first_seq or (0 if wanted.after is None else wanted.after + 1)
    return first if first > 1 else None
