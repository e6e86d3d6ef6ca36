"""What REST gives and takes of quota requests and rules. Shapes only: services say what is acceptable."""

from typing import Any

from rest_framework import serializers

from quotarequests.models import ApprovalRule, QuotaRequest
from quotarequests.simulation import Effect
from quotarequests.specs import MAX_JUSTIFICATION, MAX_NOTE, MOST_DAYS, EventKind, RequestState
from tenants.specs import MOST_OF_ALL


def _amounts(**options: Any) -> serializers.DictField:
    amount = serializers.IntegerField(min_value=0, max_value=MOST_OF_ALL)
    return serializers.DictField(child=amount, **options)


class QuotaRequestSerializer(serializers.Serializer[QuotaRequest]):
    """A request for more quota. Amounts are by the key of resource types, in their units."""

    id = serializers.UUIDField()
    tenant = serializers.CharField(source="tenant.slug")
    author = serializers.CharField(source="author.username")
    created = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=[(state.value, state.name) for state in RequestState])
    wanted = _amounts(help_text="The nominal quota that is asked for.")
    had = _amounts(help_text="The nominal quota when it was asked for.")
    justification = serializers.CharField()
    until = serializers.DateField(allow_null=True, help_text="The last day, by UTC; null is for good.")
    workload = serializers.UUIDField(source="workload_id", allow_null=True)
    decided_by = serializers.CharField(source="decided_by.username", default=None, allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    by_rule = serializers.BooleanField(help_text="Whether a rule approved it.")
    reason = serializers.CharField()
    granted = _amounts(help_text="What was added to the nominal quota.")
    granted_until = serializers.DateField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class RequestEventSerializer(serializers.Serializer[Any]):
    """Something that happened to a request."""

    time = serializers.DateTimeField()
    actor = serializers.CharField(help_text="A user name, or “berth” for the portal itself.")
    kind = serializers.ChoiceField(choices=[kind.value for kind in EventKind])
    note = serializers.CharField()


class TypeEvidenceSerializer(serializers.Serializer[Any]):
    """A tenant's use of a resource type when it asked."""

    key = serializers.CharField()
    used = serializers.IntegerField()
    nominal = serializers.IntegerField()
    free = serializers.IntegerField()
    not_held_pct = serializers.FloatField(
        allow_null=True, help_text="The share of the quota that was not held, of the hours that are known."
    )
    since = serializers.DateTimeField(allow_null=True, help_text="When the known hours begin.")
    short_of = serializers.IntegerField(help_text="Workloads that waited for quota of it, in the last 30 days.")


class WaitsSerializer(serializers.Serializer[Any]):
    """How long what was submitted since a time waited for its first admission."""

    since = serializers.DateTimeField()
    workloads = serializers.IntegerField()
    waiting_now = serializers.IntegerField()
    median_s = serializers.FloatField(allow_null=True)
    longest_s = serializers.FloatField(allow_null=True)


class EvidenceSerializer(serializers.Serializer[Any]):
    """What was gathered when the request was made."""

    at = serializers.DateTimeField()
    types = TypeEvidenceSerializer(many=True)
    waits = WaitsSerializer()


class FigureSerializer(serializers.Serializer[Any]):
    """A figure as it is, and as it would be."""

    before = serializers.IntegerField()
    after = serializers.IntegerField()


class TypeEffectSerializer(serializers.Serializer[Any]):
    """What would become of a resource type."""

    key = serializers.CharField()
    nominal = FigureSerializer()
    room = FigureSerializer(help_text="How much more the tenant could start now.")
    pool_free = FigureSerializer(allow_null=True)
    promised = FigureSerializer(help_text="The nominal quota of all tenants.")
    capacity = serializers.IntegerField(allow_null=True, help_text="What the cluster's nodes offer, where known.")
    exceeds_cluster = serializers.BooleanField()


class OtherEffectSerializer(serializers.Serializer[Any]):
    """Another tenant of the cohort whose room would move."""

    tenant = serializers.CharField()
    key = serializers.CharField()
    room = FigureSerializer()


class EffectSerializer(serializers.Serializer[Effect]):
    """What granting would do now; an estimate, which knows no single nodes."""

    types = TypeEffectSerializer(many=True)
    others = OtherEffectSerializer(many=True)
    starts = serializers.ListField(child=serializers.UUIDField(), help_text="Workloads of the tenant that would start.")
    still_waits = serializers.IntegerField()
    others_start = serializers.IntegerField()
    others_delayed = serializers.IntegerField()


class QuotaRequestDetailSerializer(QuotaRequestSerializer):
    """The same, with its history, its evidence, and for who may decide its effect."""

    events = RequestEventSerializer(source="told_events", many=True)
    evidence = EvidenceSerializer(source="told_evidence")
    effect = EffectSerializer(
        source="told_effect", allow_null=True, help_text="For platform admins and auditors, while it is undecided."
    )


class NewQuotaRequestSerializer(serializers.Serializer[Any]):
    """A request to be: the nominal quota that the tenant should have in all."""

    items = _amounts(allow_empty=False, help_text="By the key of resource types; those that are not named stay.")
    justification = serializers.CharField(max_length=MAX_JUSTIFICATION)
    until = serializers.DateField(required=False, allow_null=True, default=None)
    workload = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="A waiting workload of the tenant."
    )


class ApproveSerializer(serializers.Serializer[Any]):
    """How much of a request is granted, and until when."""

    items = _amounts(required=False, help_text="The nominal quota in all; what was asked for where it is left out.")
    until = serializers.DateField(
        required=False, allow_null=True, help_text="null is for good; as it was asked for where it is left out."
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_NOTE)


class DenySerializer(serializers.Serializer[Any]):
    """Why a request is refused."""

    reason = serializers.CharField(max_length=MAX_NOTE)


class RequestTextSerializer(serializers.Serializer[Any]):
    """A question or an answer."""

    text = serializers.CharField(max_length=MAX_NOTE)


class InboxFilterSerializer(serializers.Serializer[Any]):
    """Which requests."""

    undecided = serializers.BooleanField(required=False, allow_null=True, default=None)


class RequestQuerySerializer(serializers.Serializer[Any]):
    """Which amounts the effect is reckoned for."""

    effect_of = serializers.CharField(
        required=False, default="", max_length=1_000, help_text="As in gpus:6,pods:20; what is asked for without it."
    )


class RuleValuesSerializer(serializers.Serializer[Any]):
    """What a rule allows."""

    most_added = serializers.IntegerField(
        min_value=0, max_value=MOST_OF_ALL, help_text="The most above the present nominal quota."
    )
    most_days = serializers.IntegerField(min_value=1, max_value=MOST_DAYS)
    min_days_between = serializers.IntegerField(min_value=0, max_value=MOST_DAYS, default=0)


class NewRuleSerializer(RuleValuesSerializer):
    """A rule to be; one of the same type and tenant is replaced."""

    type = serializers.CharField(max_length=40, help_text="The key of a resource type.")
    tenant = serializers.CharField(
        max_length=40,
        required=False,
        allow_null=True,
        default=None,
        help_text="null is all without one of their own.",
    )


class ApprovalRuleSerializer(serializers.Serializer[ApprovalRule]):
    """What is granted of a resource type without a person deciding."""

    id = serializers.UUIDField()
    type = serializers.CharField(source="type.key")
    tenant = serializers.CharField(source="tenant.slug", default=None, allow_null=True)
    most_added = serializers.IntegerField()
    most_days = serializers.IntegerField()
    min_days_between = serializers.IntegerField()
    created = serializers.DateTimeField()
