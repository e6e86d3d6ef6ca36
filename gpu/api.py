"""REST of the hardware: what the node watch saw last."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gpu.models import Node
from gpu.selectors import extended_resources
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint
from portal.core.policy import Action
from tenants.selectors import resource_types


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
    extended = serializers.DictField(
        child=serializers.IntegerField(), help_text="All else, by its name in Kubernetes; MiB or pieces."
    )
    gpu_product = serializers.CharField()
    runtime_version = serializers.CharField()
    kubelet_version = serializers.CharField()
    seen_at = serializers.DateTimeField()


class OfferedSerializer(serializers.Serializer[Any]):
    """A resource beyond CPU, memory, pods and GPUs that nodes offer."""

    kube_name = serializers.CharField()
    nodes = serializers.IntegerField(help_text="How many offer it.")
    amount = serializers.IntegerField(help_text="In all; MiB or pieces.")
    type = serializers.CharField(allow_null=True, help_text="The key of its resource type; null where there is none.")


class OfferedListSerializer(serializers.Serializer[Any]):
    """All that nodes offer beyond the built-in types."""

    resources = OfferedSerializer(many=True)


class OfferedView(ApiView):
    """What nodes offer beyond the built-in types."""

    @endpoint(Action.SIGNED_IN, answers={200: OfferedListSerializer})
    def get(self, request: Request) -> Response:
        """List the resources that nodes offer beyond the built-in types, by name, each with its type if it has one."""
        keys = {found.kube_name: found.key for found in resource_types()}
        offered = [{**asdict(one), "type": keys.get(one.kube_name)} for one in extended_resources()]
        return Response(OfferedListSerializer({"resources": offered}).data)


class NodesView(ApiView):
    """The cluster's nodes."""

    @endpoint(Action.SIGNED_IN, answers={200: page_serializer(NodeSerializer)})
    def get(self, request: Request) -> Response:
        """List the cluster's nodes by name."""
        page = keyset_page(request, Node.objects.visible_to(caller(request)), order=("name",))
        return page_response(request, page, NodeSerializer)
