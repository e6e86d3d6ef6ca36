"""What goes out, as OpenAPI tells of it. The answers themselves are built by `told`; a test compares the two."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tenants.api.shapes import PRIORITIES
from workloads.specs import EndState, State
from workloads.verdict import Answer

STATES = [state.value for state in State]
_Shape = serializers.Serializer[Any]


class _Moment(serializers.DateTimeField):
    def __init__(self) -> None:
        super().__init__(allow_null=True)


class GpusSerializer(_Shape):
    count = serializers.IntegerField()
    models = serializers.ListField(
        child=serializers.CharField(), help_text="Keys of the classes that will do, the preferred one first."
    )


class SizesSerializer(_Shape):
    cpu_millicores = serializers.IntegerField()
    memory_mib = serializers.IntegerField()
    gpu = GpusSerializer()
    extra = serializers.DictField(
        child=serializers.IntegerField(), help_text="Other resource types, by key, in the type's unit."
    )


class ReasonSerializer(_Shape):
    reason_code = serializers.CharField(help_text="A stable word; empty where there is nothing to say.")
    reason = serializers.CharField(help_text="The same in the caller's language.")


class WorkloadRowSerializer(ReasonSerializer):
    """A workload in a list."""

    id = serializers.UUIDField()
    tenant = serializers.CharField(help_text="The tenant's slug.")
    name = serializers.CharField()
    kind = serializers.CharField()
    owner = serializers.CharField(help_text="A user name.")
    image = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    created = serializers.DateTimeField()
    started_at = _Moment()
    ended_at = _Moment()
    exit_code = serializers.IntegerField(allow_null=True)
    priority = serializers.ChoiceField(choices=PRIORITIES)
    resources = SizesSerializer()


class AttemptSerializer(ReasonSerializer):
    """One run."""

    n = serializers.IntegerField()
    end_state = serializers.ChoiceField(choices=[end.value for end in EndState], allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    node = serializers.CharField()
    image_digest = serializers.CharField()
    created = serializers.DateTimeField()
    scheduled_at = _Moment()
    started_at = _Moment()
    ended_at = _Moment()


class AmountsField(serializers.DictField):
    child = serializers.CharField()


class RunSerializer(_Shape):
    """One run of a container. Pods that ended before Berth kept a fact lack it."""

    state = serializers.CharField(help_text="waiting, running or terminated.")
    reason = serializers.CharField(allow_blank=True)
    message = serializers.CharField(required=False, allow_blank=True, help_text="At most 500 characters.")
    exit_code = serializers.IntegerField(allow_null=True)
    signal = serializers.IntegerField(required=False, allow_null=True)
    started_at = serializers.DateTimeField(required=False, allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class ContainerSerializer(RunSerializer):
    """A container: its present run, the one before the last restart, and the amounts that it asks for."""

    name = serializers.CharField()
    image = serializers.CharField()
    image_digest = serializers.CharField()
    restarts = serializers.IntegerField()
    ready = serializers.BooleanField()
    previous = RunSerializer(required=False, allow_null=True)
    requests = AmountsField(required=False, help_text="As Kubernetes writes amounts.")
    limits = AmountsField(required=False)


class PodSerializer(ReasonSerializer):
    """A pod as last observed."""

    id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    name = serializers.CharField()
    index = serializers.IntegerField()
    phase = serializers.CharField()
    node = serializers.CharField()
    containers = ContainerSerializer(many=True)
    created = _Moment()
    started_at = _Moment()
    ended_at = _Moment()
    gone = serializers.BooleanField()


class StepSerializer(_Shape):
    """A moment that was seen."""

    step = serializers.ChoiceField(choices=["submitted", "admitted", "scheduled", "started", "ended"])
    attempt = serializers.IntegerField(allow_null=True)
    time = serializers.DateTimeField()


@extend_schema_serializer(component_name="StoredSpec")
class StoredSpecSerializer(_Shape):
    """A spec as it was submitted: the body of a submission with every field said."""

    name = serializers.CharField()
    kind = serializers.CharField()
    image = serializers.CharField()
    command = serializers.ListField(child=serializers.CharField(allow_blank=True))
    args = serializers.ListField(child=serializers.CharField(allow_blank=True))
    script = serializers.CharField(allow_null=True)
    env = serializers.DictField(child=serializers.CharField(allow_blank=True))
    resources = SizesSerializer()
    max_runtime_s = serializers.IntegerField(allow_null=True)
    retries = serializers.IntegerField()
    priority = serializers.ChoiceField(choices=PRIORITIES)
    template = serializers.CharField(allow_blank=True)
    template_version = serializers.IntegerField(allow_null=True)


class LogStateSerializer(_Shape):
    last_seq = serializers.IntegerField()
    bytes = serializers.IntegerField()
    sealed = serializers.BooleanField(help_text="Whether no more lines come.")
    kept_until = serializers.DateTimeField(allow_null=True, help_text="When its lines will be removed.")
    expired_at = serializers.DateTimeField(allow_null=True, help_text="When its lines were removed.")


class WorkloadSerializer(WorkloadRowSerializer):
    """A workload with its runs and pods."""

    spec = StoredSpecSerializer()
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    attempts = AttemptSerializer(many=True)
    pods = PodSerializer(many=True, help_text="At most 500, the newest attempt's first.")
    timeline = StepSerializer(many=True)
    log = LogStateSerializer()


class EventSerializer(ReasonSerializer):
    """A change of state or reason."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField()
    attempt = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=STATES)
    actor = serializers.CharField(allow_null=True)


class ClusterEventSerializer(_Shape):
    """What Kubernetes reported about a Job or a pod, in its own words; alike ones are counted, not repeated."""

    id = serializers.IntegerField()
    attempt = serializers.IntegerField()
    kind = serializers.CharField(help_text="Job or Pod.")
    name = serializers.CharField()
    warning = serializers.BooleanField()
    reason = serializers.CharField()
    message = serializers.CharField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="Which part of Kubernetes said it."
    )
    count = serializers.IntegerField()
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class FactSerializer(_Shape):
    label = serializers.CharField()  # type: ignore[assignment]
    value = serializers.CharField()


class OptionSerializer(_Shape):
    title = serializers.CharField()
    consequence = serializers.CharField()


class ExplanationSerializer(_Shape):
    """Why it waits or failed, the numbers, what would help."""

    title = serializers.CharField()
    sentence = serializers.CharField()
    facts = FactSerializer(many=True)
    options = OptionSerializer(many=True)
    evidence = serializers.CharField()


class ExplainedSerializer(ReasonSerializer):
    state = serializers.ChoiceField(choices=STATES)
    position = serializers.IntegerField(allow_null=True, help_text="Its place among its tenant's waiting workloads.")
    explanation = ExplanationSerializer(allow_null=True)


class WhySerializer(_Shape):
    code = serializers.CharField()
    text = serializers.CharField()
    sentence = serializers.CharField()


class ViolationSerializer(_Shape):
    attr = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class VerdictSerializer(_Shape):
    """What the queue would do with a submission now."""

    verdict = serializers.ChoiceField(choices=[answer.value for answer in Answer])
    position = serializers.IntegerField(allow_null=True)
    eta_s = serializers.ListField(
        child=serializers.FloatField(), allow_null=True, help_text="p50 and p90; unknown yet."
    )
    reasons = WhySerializer(many=True)
    alternatives = OptionSerializer(many=True)
    violations = ViolationSerializer(many=True)


class DifferenceSerializer(_Shape):
    field = serializers.CharField()
    change = serializers.ChoiceField(choices=["added", "removed", "changed"])
    left = serializers.JSONField(allow_null=True)
    right = serializers.JSONField(allow_null=True)


class OutcomeSerializer(_Shape):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=STATES)
    reason_code = serializers.CharField()
    exit_code = serializers.IntegerField(allow_null=True)
    attempts = serializers.IntegerField()
    waited_s = serializers.FloatField(allow_null=True)
    ran_s = serializers.FloatField(allow_null=True)


class DiffSerializer(_Shape):
    """Two workloads' specs field by field, and how both went."""

    left = OutcomeSerializer()
    right = OutcomeSerializer()
    differences = DifferenceSerializer(many=True)


class LogLineSerializer(_Shape):
    seq = serializers.IntegerField()
    time = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    pod = serializers.CharField()
    container = serializers.CharField()
    text = serializers.CharField()
    kind = serializers.ChoiceField(choices=["line", "continuation", "note"])


class GapSerializer(_Shape):
    """Lines that are lost for good."""

    seq = serializers.IntegerField()
    time = serializers.DateTimeField()
    attempt = serializers.IntegerField()
    pod = serializers.CharField()
    text = serializers.CharField()


class LogSerializer(_Shape):
    """Lines; `next` goes into `after`, `prev` into `before`. Null: the log's end, its beginning."""

    lines = LogLineSerializer(many=True)
    next = serializers.IntegerField(allow_null=True)
    prev = serializers.IntegerField(allow_null=True)
    gaps = GapSerializer(many=True)
