"""What REST takes and gives of tenants. Shapes only: services say what is acceptable."""

from typing import Any

from rest_framework import serializers

from portal.core.models import AuditEntry
from tenants import specs
from tenants.history import sentence
from tenants.models import Membership, Tenant
from tenants.specs import Limits
from tenants.usage import NOTHING


class LimitsSerializer(serializers.Serializer[Any]):
    """Amounts of each resource."""

    cpu_millicores = serializers.IntegerField(min_value=0, max_value=specs.MAX_CPU_MILLICORES)
    memory_mib = serializers.IntegerField(min_value=0, max_value=specs.MAX_MEMORY_MIB)
    pods = serializers.IntegerField(min_value=0, max_value=specs.MAX_PODS)
    gpus = serializers.IntegerField(min_value=0, max_value=specs.MAX_GPUS)


class NewTenantSerializer(serializers.Serializer[Any]):
    """A tenant to be."""

    slug = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=specs.MAX_TENANT_NAME)
    limits = LimitsSerializer()


class TenantChangeSerializer(serializers.Serializer[Any]):
    """What may be changed; limits are given whole."""

    name = serializers.CharField(max_length=specs.MAX_TENANT_NAME, required=False)
    limits = LimitsSerializer(required=False)


class TenantSerializer(serializers.Serializer[Any]):
    """A tenant, its limits and what its unreleased work holds."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    created = serializers.DateTimeField()
    namespace = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in specs.TenantStatus])
    limits = LimitsSerializer()
    held = serializers.SerializerMethodField()

    def get_held(self, tenant: Tenant) -> dict[str, int]:
        """Return what the tenant holds, as the view counted it for all rows at once."""
        held: Limits = self.context.get("held", {}).get(tenant.pk, NOTHING)
        return {name: getattr(held, name) for name in ("cpu_millicores", "memory_mib", "pods", "gpus")}


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
