"""What these endpoints take and give."""

from typing import Any

from rest_framework import serializers

from portal.core.models import ApiToken, PlatformRole, Scope
from portal.core.tokens import MAX_NAME
from tenants.api.shapes import LimitsSerializer
from tenants.specs import Role


class MyTenantSerializer(serializers.Serializer[Any]):
    """A tenant of the caller."""

    slug = serializers.CharField(source="tenant.slug")
    name = serializers.CharField(source="tenant.name")
    role = serializers.ChoiceField(choices=[role.value for role in Role])
    permissions = serializers.ListField(child=serializers.CharField())


class MeSerializer(serializers.Serializer[Any]):
    """Who calls, and what they may do."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.CharField()
    language = serializers.CharField()
    time_zone = serializers.CharField()
    platform_role = serializers.ChoiceField(choices=PlatformRole.values)
    permissions = serializers.ListField(child=serializers.CharField(), help_text="On the platform as a whole.")
    memberships = MyTenantSerializer(many=True)


class NewTokenSerializer(serializers.Serializer[Any]):
    """A token to be."""

    name = serializers.CharField(max_length=MAX_NAME)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values), min_length=1, max_length=3)
    tenant = serializers.CharField(
        required=False, allow_null=True, max_length=40, help_text="A slug binds it to one tenant; null: all of yours."
    )
    expires_at = serializers.DateTimeField()


class TokenSerializer(serializers.Serializer[ApiToken]):
    """A token, without its key."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    shown_start = serializers.CharField(help_text="The first characters of the key.")
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.values))
    tenant_id = serializers.UUIDField(allow_null=True)
    created = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class MadeTokenSerializer(TokenSerializer):
    """A token that was just made."""

    key = serializers.CharField(allow_null=True, help_text="Shown this once; null in a repeated answer.")


class TicketSerializer(serializers.Serializer[Any]):
    """What opens one websocket: `?ticket=`."""

    ticket = serializers.CharField(help_text="A secret; good once.")
    expires_at = serializers.DateTimeField()


class ClusterSummarySerializer(serializers.Serializer[Any]):
    """The cluster as a whole: what its usable nodes offer and what all work holds."""

    nodes = serializers.IntegerField()
    ready = serializers.IntegerField()
    offers = LimitsSerializer()
    held = LimitsSerializer()
    absent = serializers.BooleanField(help_text="No cluster was ever reached.")
    stale = serializers.BooleanField(help_text="What is shown may be old.")
