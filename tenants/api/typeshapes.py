"""What REST takes and gives of resource types. Shapes only: services say what is acceptable."""

from typing import Any

from rest_framework import serializers

from tenants import kubenames, specs
from tenants.models import ResourceType
from tenants.typeservices import MAX_LABEL, MOST_POSITION


class TypeChangeSerializer(serializers.Serializer[Any]):
    """What can be changed of a resource type."""

    label_en = serializers.CharField(max_length=MAX_LABEL)
    label_zh = serializers.CharField(
        max_length=MAX_LABEL, required=False, allow_blank=True, help_text="Empty: the English one."
    )
    largest_per_pod = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=specs.MOST_OF_ALL, help_text="In the type's unit."
    )
    price_weight = serializers.DecimalField(
        required=False, max_digits=12, decimal_places=4, help_text="Of a core, a GiB or a piece for an hour."
    )
    position = serializers.IntegerField(required=False, min_value=0, max_value=MOST_POSITION)


class NewTypeSerializer(TypeChangeSerializer):
    """A resource type to be."""

    kube_name = serializers.CharField(max_length=317, help_text="As nodes offer it, such as rdma/hca.")
    gpu_product = serializers.CharField(
        max_length=63,
        default="",
        allow_blank=True,
        help_text="For a class of GPUs: the value of the nodes' label nvidia.com/gpu.product.",
    )
    key = serializers.CharField(
        max_length=kubenames.MAX_KEY, default="", allow_blank=True, help_text="Empty: made of the name."
    )


class ResourceTypeSerializer(serializers.Serializer[ResourceType]):
    """Something that pods ask for and quotas count."""

    key = serializers.CharField(help_text="What amounts are named by.")
    kube_name = serializers.CharField(help_text="Its name in a pod's requests.")
    name = serializers.CharField(source="label", help_text="In the caller's language.")
    label_en = serializers.CharField()
    label_zh = serializers.CharField()
    unit = serializers.ChoiceField(choices=[unit.value for unit in specs.Unit], help_text="What the numbers count.")
    gpu_product = serializers.CharField(help_text="Of a class of GPUs; empty for all else.")
    quota_key = serializers.CharField(help_text="Its name in a ResourceQuota; empty where none can count it.")
    whole = serializers.BooleanField(help_text="Whether it is asked for in whole pieces only.")
    request_is_limit = serializers.BooleanField(help_text="Whether a pod gets no more than it asks for.")
    largest_per_pod = serializers.IntegerField(allow_null=True)
    price_weight = serializers.DecimalField(max_digits=12, decimal_places=4)
    position = serializers.IntegerField()
    built_in = serializers.BooleanField(help_text="Whether it comes with Berth and stays.")
