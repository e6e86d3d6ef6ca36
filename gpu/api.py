"""REST of the hardware: what the node watch saw last."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpu.models import Node
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint
from portal.core.policy import Action


class NodeSerializer(serializers.Serializer[Any]):
    """A node and what pods can ask of it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    ready = serializers.BooleanField()
    unschedulable = serializers.BooleanField()
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    pods = serializers.IntegerField()
    gpus = serializers.IntegerField()
    gpu_product = serializers.CharField()
    runtime_version = serializers.CharField()
    kubelet_version = serializers.CharField()
    seen_at = serializers.DateTimeField()


class NodesView(ApiView):
    """The cluster's nodes."""

    @endpoint(Action.SIGNED_IN, answers={200: page_serializer(NodeSerializer)})
    def get(self, request: Request) -> Response:
        """List the cluster's nodes by name."""
        page = keyset_page(request, Node.objects.visible_to(caller(request)), order=("name",))
        return page_response(request, page, NodeSerializer)
