"""What comes in: bodies of submissions and clones, queries of lists and logs. What a spec may hold is for `specs`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from portal.core.errors import Rejected
from tenants.api.shapes import PRIORITIES
from tenants.specs import MAX_RUNTIME_S, Priority, slug_valid
from workloads import specs
from workloads.api.strict import NumberField, StrictSerializer, TextField
from workloads.logs import read
from workloads.selectors import Filters
from workloads.specs import EXTRA_FIELD, JobSpec, Resources

MOST_AMOUNT = 2**53 - 1
MOST_SEQ = 10**18
MAX_TEXT = 100
MAX_GREP = 1000
LOG_LINES = 500


class GpuSerializer(StrictSerializer):
    """GPUs of each pod."""

    count = NumberField(min_value=0, max_value=MOST_AMOUNT)
    models = serializers.ListField(
        child=TextField(max_length=40),
        required=False,
        allow_null=True,
        help_text="Keys of the classes that will do, the preferred one first; any GPU without.",
    )


class ResourcesSerializer(StrictSerializer):
    """What each pod asks for."""

    cpu_millicores = NumberField(min_value=specs.MIN_CPU_MILLICORES, max_value=MOST_AMOUNT)
    memory_mib = NumberField(min_value=specs.MIN_MEMORY_MIB, max_value=MOST_AMOUNT)
    gpu = GpuSerializer(required=False, allow_null=True)
    extra = serializers.DictField(
        child=NumberField(min_value=0, max_value=MOST_AMOUNT, allow_null=True),
        required=False,
        allow_null=True,
        help_text="Other resource types, by key, in the type's unit.",
    )


class SpecSerializer(StrictSerializer):
    """A submission. `script` is written to a file whose path follows `command` (python3 where there is none)."""

    name = TextField(max_length=specs.MAX_NAME, help_text="Small letters, digits and hyphens.")
    kind = serializers.ChoiceField(choices=sorted(specs.KINDS), default="job")
    image = TextField(max_length=specs.MAX_IMAGE)
    command = serializers.ListField(child=TextField(allow_blank=True), required=False)
    args = serializers.ListField(child=TextField(allow_blank=True), required=False)
    script = TextField(required=False, allow_null=True, allow_blank=True, help_text="At most 256 KiB.")
    env = serializers.DictField(child=TextField(allow_blank=True), required=False)
    resources = ResourcesSerializer()
    max_runtime_s = NumberField(required=False, allow_null=True, min_value=1, max_value=MAX_RUNTIME_S)
    retries = NumberField(required=False, min_value=0, max_value=specs.MAX_RETRIES)
    priority = serializers.ChoiceField(
        choices=PRIORITIES, required=False, help_text="One that the tenant allows; normal by default."
    )
    template = TextField(
        required=False,
        allow_blank=True,
        max_length=specs.MAX_TEMPLATE_REF,
        help_text="The `ref` of what it is made from.",
    )
    template_version = NumberField(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=specs.MAX_TEMPLATE_VERSION,
        help_text="Its newest one by default.",
    )


@extend_schema_serializer(component_name="Clone")
class CloneSerializer(StrictSerializer):
    """What is to differ from the source, as a merge patch: `env` and `resources` by name; null takes away."""

    name = TextField(required=False, max_length=specs.MAX_NAME)
    image = TextField(required=False, max_length=specs.MAX_IMAGE)
    command = serializers.ListField(child=TextField(allow_blank=True), required=False, allow_null=True)
    args = serializers.ListField(child=TextField(allow_blank=True), required=False, allow_null=True)
    script = TextField(required=False, allow_null=True, allow_blank=True)
    env = serializers.DictField(child=TextField(allow_blank=True, allow_null=True), required=False, allow_null=True)
    resources = ResourcesSerializer(required=False, partial=True)
    max_runtime_s = NumberField(required=False, allow_null=True, min_value=1, max_value=MAX_RUNTIME_S)
    retries = NumberField(required=False, min_value=0, max_value=specs.MAX_RETRIES)
    priority = serializers.ChoiceField(choices=PRIORITIES, required=False)


class NarrowingSerializer(StrictSerializer):
    """What a list shows; every parameter narrows it."""

    state = serializers.ChoiceField(choices=[state.value for state in specs.State], required=False)
    kind = serializers.ChoiceField(choices=sorted(specs.KINDS), required=False)
    priority = serializers.ChoiceField(choices=PRIORITIES, required=False)
    owner = serializers.CharField(required=False, max_length=150, help_text="A user name.")
    tenant = serializers.CharField(required=False, max_length=40, help_text="A slug.")
    q = serializers.CharField(required=False, max_length=MAX_TEXT, help_text="Part of a name or image; or an id.")
    created_from = serializers.DateTimeField(required=False)
    created_until = serializers.DateTimeField(required=False, help_text="The first moment that is too late.")
    template = serializers.UUIDField(required=False, help_text="The id of the template that it came of.")
    active = serializers.BooleanField(required=False, default=False, help_text="Only what has not ended.")
    order = serializers.ChoiceField(choices=["newest", "oldest"], required=False, default="newest")


class ListQuerySerializer(NarrowingSerializer):
    """What a page of a list shows."""

    berth_allowed = frozenset({"limit", "cursor"})


class ManifestsQuerySerializer(StrictSerializer):
    """Of which attempt; the newest without one."""

    attempt = serializers.IntegerField(required=False, min_value=1, max_value=32767)


class LogQuerySerializer(StrictSerializer):
    """Which lines: after `after`, before `before`, from `since` on; the newest without any."""

    after = serializers.IntegerField(required=False, min_value=0, max_value=MOST_SEQ)
    before = serializers.IntegerField(required=False, min_value=0, max_value=MOST_SEQ)
    limit = serializers.IntegerField(required=False, min_value=1, max_value=read.MAX_LINES, default=LOG_LINES)
    since = serializers.DateTimeField(required=False)
    pod = serializers.CharField(required=False, max_length=253)
    attempt = serializers.IntegerField(required=False, min_value=1, max_value=32767)
    grep = serializers.CharField(required=False, max_length=MAX_GREP, trim_whitespace=False, help_text="Plain text.")


def spec_of(values: Mapping[str, Any]) -> JobSpec:
    """Return the spec of a body that has its shape."""
    sizes = values["resources"]
    return JobSpec(
        name=values["name"],
        kind=values["kind"],
        image=values["image"],
        resources=Resources(
            cpu_millicores=sizes["cpu_millicores"],
            memory_mib=sizes["memory_mib"],
            gpus=(sizes.get("gpu") or {}).get("count", 0),
            gpu_models=tuple((sizes.get("gpu") or {}).get("models") or ()),
            extra={key: amount for key, amount in (sizes.get("extra") or {}).items() if amount},
        ),
        command=tuple(values.get("command", ())),
        args=tuple(values.get("args", ())),
        script=values.get("script"),
        env=dict(values.get("env", {})),
        max_runtime_s=values.get("max_runtime_s"),
        retries=values.get("retries", 0),
        priority=values.get("priority", Priority.NORMAL.value),
        template=values.get("template", ""),
        template_version=values.get("template_version"),
    )


def overrides_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a clone as the merge patch of a stored spec."""
    changes = dict(values)
    sizes = changes.get("resources")
    if sizes and "gpu" in sizes:
        gpu = sizes["gpu"] or {"count": 0, "models": None}
        counted = {name: gpu[part] for part, name in (("count", "gpus"), ("models", "gpu_models")) if part in gpu}
        sizes = {**{name: value for name, value in sizes.items() if name != "gpu"}, **counted}
    if sizes and sizes.get("extra"):
        sizes = {**sizes, "extra": {key: amount or None for key, amount in sizes["extra"].items()}}
    if sizes:
        changes["resources"] = sizes
    return changes


def filters_of(values: Mapping[str, Any], *, tenant: str = "") -> Filters:
    """Return what a list is narrowed to; `tenant` is the one of the path."""
    named = values.get("tenant", "")
    if named and not slug_valid(named):
        raise Rejected({"tenant": [serializers.CharField.default_error_messages["invalid"]]})
    return Filters(
        active=values["active"],
        state=values.get("state", ""),
        tenant=tenant or named,
        text=values.get("q", ""),
        kind=values.get("kind", ""),
        priority=values.get("priority", ""),
        owner=values.get("owner", ""),
        created_from=values.get("created_from"),
        created_until=values.get("created_until"),
        template_id=values.get("template"),
    )


_ATTRS = {
    "cpu_millicores": "resources.cpu_millicores",
    "memory_mib": "resources.memory_mib",
    "gpus": "resources.gpu.count",
    "gpu_models": "resources.gpu.models",
}


def attr_of(field: str) -> str:
    """Return where in the body a field of a spec stands."""
    extra = field.removeprefix(EXTRA_FIELD)
    return _ATTRS.get(field, field) if extra == field else f"resources.extra.{extra}"


@contextmanager
def complaints_by_attr() -> Iterator[None]:
    """Let a service's complaints name the body's fields."""
    try:
        yield
    except Rejected as rejected:
        raise Rejected({attr_of(field): texts for field, texts in rejected.fields.items()}) from rejected
