"""What these endpoints take and give."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from portal.core.models import ApiToken, PlatformRole, Scope, Theme
from portal.core.tokens import MAX_NAME
from portal.web.people_forms import time_zones
from tenants.api.shapes import amounts_field
from tenants.specs import Role
from workloads.api.strict import StrictSerializer, TextField


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
    full_name = serializers.CharField()
    email = serializers.CharField()
    language = serializers.CharField()
    theme = serializers.ChoiceField(choices=Theme.values)
    time_zone = serializers.CharField()
    platform_role = serializers.ChoiceField(choices=PlatformRole.values)
    permissions = serializers.ListField(child=serializers.CharField(), help_text="On the platform as a whole.")
    memberships = MyTenantSerializer(many=True)


class ProfileSerializer(StrictSerializer):
    """What somebody decides about themselves. An empty language or zone: as the browser or the installation says."""

    full_name = TextField(max_length=150, allow_blank=True)
    email = serializers.EmailField(max_length=254, allow_blank=True)
    language = serializers.ChoiceField(choices=[code for code, _name in settings.LANGUAGES], allow_blank=True)
    theme = serializers.ChoiceField(choices=Theme.values)
    time_zone = TextField(max_length=64, allow_blank=True, help_text="Such as Asia/Shanghai.")

    def validate_time_zone(self, name: str) -> str:
        """Return the name. Raises ValidationError for one that is no zone's."""
        if name and name not in time_zones():
            raise serializers.ValidationError(_("There is no such time zone. Choose one of the list."), "unknown")
        return name


class NewPasswordSerializer(StrictSerializer):
    """The password that was and the one to be."""

    current_password = TextField(max_length=1000)
    new_password = TextField(max_length=1000)


class SessionSerializer(serializers.Serializer[Any]):
    """Where the caller is signed in."""

    browser = serializers.CharField(help_text="A guess, for people.")
    ip = serializers.IPAddressField()
    created = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="The one that asks.")


class SessionsSerializer(serializers.Serializer[Any]):
    """All of them."""

    results = SessionSerializer(many=True)


class SessionsEndedSerializer(serializers.Serializer[Any]):
    """How many ended."""

    ended = serializers.IntegerField()


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
    offers = amounts_field()
    held = amounts_field()
    absent = serializers.BooleanField(help_text="No cluster was ever reached.")
    stale = serializers.BooleanField(help_text="What is shown may be old.")
