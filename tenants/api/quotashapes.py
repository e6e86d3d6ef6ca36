"""What REST takes and gives of quotas and cohorts. Shapes only: services say what is acceptable."""

from typing import Any

from rest_framework import serializers

from tenants import specs
from tenants.api.shapes import excess_field
from tenants.models import Cohort
from tenants.quotaservices import MAX_COHORT_NAME


def amount(**options: Any) -> serializers.IntegerField:
    """Return a field of an amount of some resource type."""
    return serializers.IntegerField(min_value=0, max_value=specs.MOST_OF_ALL, **options)


class BoundsSerializer(serializers.Serializer[Any]):
    """What a tenant may hold of a resource type, in the type's unit."""

    type = serializers.CharField(max_length=40, help_text="The key of a resource type.")
    nominal = amount()
    borrow_limit = amount(default=0, help_text="The most that may be borrowed in the cohort.")
    lend_limit = amount(default=0, help_text="The part of `nominal` that others in the cohort may use.")


class QuotaLineSerializer(BoundsSerializer):
    """The same, and what of it is used."""

    used = amount(help_text="Held from admission until the pods are gone.")
    borrowed = amount(help_text="The part of `used` beyond `nominal`.")
    overhang = amount(help_text="What is held beyond the limits; it was kept when they were lowered.")
    free = amount(help_text="How much more could be admitted now, borrowing included.")


class CohortSerializer(serializers.Serializer[Cohort]):
    """Tenants that lend each other the quota that they do not use."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    created = serializers.DateTimeField()


class LedgerDifferenceSerializer(serializers.Serializer[Any]):
    """Something that a row of the ledger says and that is not so."""

    owner = serializers.CharField(help_text="A tenant's slug or a cohort's name.")
    key = serializers.CharField(help_text="Of the resource type.")
    what = serializers.CharField(help_text="The column.")
    said = serializers.IntegerField()
    counted = serializers.IntegerField()


class LedgerCheckSerializer(serializers.Serializer[Any]):
    """When the ledger was last recomputed (null before the first time), and where it differed."""

    checked_at = serializers.DateTimeField(allow_null=True)
    differences = LedgerDifferenceSerializer(many=True)


class NewCohortSerializer(serializers.Serializer[Any]):
    """A cohort to be."""

    name = serializers.CharField(max_length=MAX_COHORT_NAME)


class QuotaSerializer(serializers.Serializer[Any]):
    """A tenant's quota."""

    cohort = CohortSerializer(allow_null=True)
    lines = QuotaLineSerializer(many=True)


class QuotaChangeSerializer(serializers.Serializer[Any]):
    """What is to change; a type that is not named stays as it is."""

    lines = BoundsSerializer(many=True, required=False, default=list)
    excess = excess_field()


class CohortOfTenantSerializer(serializers.Serializer[Any]):
    """The cohort that a tenant is to be in."""

    cohort = serializers.UUIDField(allow_null=True, help_text="null takes it out of all.")
    keep = serializers.BooleanField(
        default=False, help_text="Let what would be too much be used up instead of refusing."
    )
