"""What REST takes and gives of tenants. Shapes only: services say what is acceptable."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from portal.core.models import AuditEntry
from tenants import specs
from tenants.history import sentence
from tenants.models import Membership, QuotaLine, Tenant

PRIORITIES = [priority.value for priority in specs.Priority]


def amounts_field(**options: Any) -> serializers.DictField:
    """Return a field of amounts by the key of their resource type, in its unit."""
    return serializers.DictField(child=serializers.IntegerField(min_value=0, max_value=specs.MOST_OF_ALL), **options)


def _bound_field(most: int, **options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(allow_null=True, min_value=1, max_value=most, **options)


def _priorities_field(**options: Any) -> serializers.ListField:
    return serializers.ListField(child=serializers.ChoiceField(choices=PRIORITIES), min_length=1, **options)


class RulesSerializer(serializers.Serializer[Any]):
    """What a tenant's work may be, and how much of it at once; null = no bound."""

    priorities = _priorities_field()
    max_runtime_s = _bound_field(specs.MAX_RUNTIME_S, help_text="Work that names no time limit gets this one.")
    max_running = _bound_field(specs.MOST_WORKLOADS)
    max_waiting = _bound_field(specs.MOST_WORKLOADS, help_text="One more submission is refused with 409.")


class RulesChangeSerializer(serializers.Serializer[Any]):
    """The rules that are to change; the others stay."""

    priorities = _priorities_field(required=False)
    max_runtime_s = _bound_field(specs.MAX_RUNTIME_S, required=False)
    max_running = _bound_field(specs.MOST_WORKLOADS, required=False)
    max_waiting = _bound_field(specs.MOST_WORKLOADS, required=False)


def excess_field() -> serializers.ChoiceField:
    """Return a field that says what becomes of what is held beyond a lowered limit."""
    return serializers.ChoiceField(
        choices=[excess.value for excess in specs.Excess],
        default=specs.Excess.REFUSE.value,
        help_text="Where more is held than would be allowed: refuse the change; keep it until its work ends; or drain, "
        "which stops work, of low priority and the newest first, and lets it wait in the queue again.",
    )


class NewTenantSerializer(serializers.Serializer[Any]):
    """A tenant to be."""

    slug = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=specs.MAX_TENANT_NAME)
    limits = amounts_field()


class TenantChangeSerializer(serializers.Serializer[Any]):
    """What may be changed; a resource type that is not given stays as it is."""

    name = serializers.CharField(max_length=specs.MAX_TENANT_NAME, required=False)
    limits = amounts_field(required=False, help_text="Nominal quotas; more of them under quota/.")
    rules = RulesChangeSerializer(required=False)
    excess = excess_field()


class TenantSerializer(serializers.Serializer[Any]):
    """A tenant, its limits and what its unreleased work holds."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    created = serializers.DateTimeField()
    namespace = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in specs.TenantStatus])
    limits = serializers.SerializerMethodField()
    rules = RulesSerializer(source="*")
    held = serializers.SerializerMethodField()

    @extend_schema_field(amounts_field())
    def get_limits(self, tenant: Tenant) -> dict[str, int]:
        """Return the tenant's nominal quotas, as the view read them for all rows at once."""
        return {line.type.key: line.nominal for line in self._lines(tenant)}

    @extend_schema_field(amounts_field())
    def get_held(self, tenant: Tenant) -> dict[str, int]:
        """Return what the tenant's work holds."""
        return {line.type.key: line.used for line in self._lines(tenant)}

    def _lines(self, tenant: Tenant) -> list[QuotaLine]:
        found: list[QuotaLine] = self.context["lines"][tenant.pk]
        return found


class HistorySerializer(serializers.Serializer[AuditEntry]):
    """Something that was done."""

    id = serializers.IntegerField()
    time = serializers.DateTimeField()
    actor = serializers.CharField(source="actor_name", help_text="A user name.")
    action = serializers.CharField(help_text="A stable word.")
    text = serializers.SerializerMethodField()

    def get_text(self, entry: AuditEntry) -> str:
        """Return the same as a sentence in the caller's language."""
        return sentence(entry)


class MemberRoleSerializer(serializers.Serializer[Any]):
    """A role to give."""

    role = serializers.ChoiceField(choices=[role.value for role in specs.Role])


class NewMemberSerializer(MemberRoleSerializer):
    """Somebody with an account, and the role they get."""

    username = serializers.CharField(max_length=254, help_text="Or an email address.")


class MemberSerializer(serializers.Serializer[Membership]):
    """Who belongs to a tenant, with which role."""

    username = serializers.CharField(source="user.username")
    role = serializers.ChoiceField(choices=[role.value for role in specs.Role])
    created = serializers.DateTimeField()
