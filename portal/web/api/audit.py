"""REST of the audit trail."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import auditreads, policy
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, found, parsed_query
from portal.core.auditreads import Filters
from portal.core.policy import Action
from tenants.api.shapes import HistorySerializer
from tenants.models import Tenant
from workloads.api.strict import StrictSerializer, TextField


class AuditQuerySerializer(StrictSerializer):
    """Which entries."""

    berth_allowed = frozenset({"limit", "cursor"})
    actor = TextField(required=False, max_length=150, help_text="A user name.")
    action = TextField(required=False, max_length=60, help_text="A code, or its first part with the dot: `tenant.`")
    target = TextField(required=False, max_length=64, help_text="The id of an object.")
    tenant = TextField(required=False, max_length=40, help_text="A slug.")
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class AuditEntrySerializer(HistorySerializer):
    """An entry whole."""

    target_type = serializers.CharField()
    target_id = serializers.CharField()
    tenant_id = serializers.UUIDField(allow_null=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    request_id = serializers.CharField()


class AuditView(ApiView):
    """The audit trail."""

    @endpoint(Action.AUDIT_VIEW, query=AuditQuerySerializer, answers={200: page_serializer(AuditEntrySerializer)})
    def get(self, request: Request) -> Response:
        """List what was done, newest first; for platform admins and auditors."""
        user = caller(request)
        policy.require(user, Action.AUDIT_VIEW)
        values: dict[str, Any] = dict(parsed_query(AuditQuerySerializer, request))
        slug = values.pop("tenant", "")
        tenant = found(Tenant.objects.filter(slug=slug), "tenant", slug) if slug else None
        filters = Filters(tenant_id=tenant.pk if tenant else None, **values)
        rows = auditreads.entries(user=user, filters=filters)
        return page_response(request, keyset_page(request, rows, order=("-id",)), AuditEntrySerializer)
