"""REST of what holds a tenant's quota."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint
from portal.core.policy import Action
from tenants.api.shapes import amounts_field
from tenants.selectors import tenant_get
from workloads.models import Attempt
from workloads.quotaholders import holding_attempts
from workloads.specs import State


class HoldingSerializer(serializers.Serializer[Attempt]):
    """What an attempt of a workload holds, from its admission until its pods are gone."""

    workload = serializers.SerializerMethodField()
    name = serializers.CharField(source="workload.name")
    owner = serializers.CharField(source="workload.owner.username", help_text="A user name.")
    state = serializers.ChoiceField(choices=[state.value for state in State], source="workload.state")
    attempt = serializers.IntegerField(source="n")
    since = serializers.DateTimeField(source="created")
    holds = amounts_field()
    share_pct = serializers.SerializerMethodField()

    def get_workload(self, row: Any) -> str | None:
        """Return the workload's id; null where it was deleted from the lists."""
        return str(row.workload_id) if row.shown else None

    def get_share_pct(self, row: Any) -> float:
        """Return the largest share that it takes of what the tenant may hold of any one type."""
        return round((row.share or 0) * 100, 2)


class QuotaHoldingsView(ApiView):
    """What holds a tenant's quota."""

    @endpoint(Action.WORKLOAD_VIEW, answers={200: page_serializer(HoldingSerializer)})
    def get(self, request: Request, slug: str) -> Response:
        """List what holds a tenant's quota now, the newest first."""
        user = caller(request)
        rows = holding_attempts(user=user, tenant=tenant_get(user=user, slug=slug))
        return page_response(request, keyset_page(request, rows, order=("-created", "-id")), HoldingSerializer)
