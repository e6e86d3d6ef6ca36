"""REST of shares of a tenant's quota: a method parses, asks one selector or service, and answers."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import directory, policy
from portal.core.api.views import ApiView, caller, endpoint, missing, parsed
from portal.core.models import User
from portal.core.policy import Action
from tenants import specs
from tenants.api.shapes import PRIORITIES
from tenants.models import QuotaShare, Tenant
from tenants.selectors import tenant_get
from tenants.shareservices import Whose, share_set
from workloads import sharereads
from workloads.api.strict import NumberField, StrictSerializer, TextField

_KINDS = [kind.value for kind in QuotaShare.Whose]


class _ShareSerializer(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="The key of a resource type.")
    user = serializers.CharField(allow_blank=True, help_text="A user name; empty where it is of no single person.")
    priority = serializers.CharField(allow_blank=True, help_text="Empty where it is of no priority.")
    limit = serializers.IntegerField(help_text="In the type's unit.")


class QuotaShareSerializer(_ShareSerializer):
    """What somebody may hold; of whom nothing is said, each person who has no row of their own."""

    whose = serializers.ChoiceField(choices=_KINDS)


class ShareUseSerializer(_ShareSerializer):
    """What somebody holds of it."""

    held = serializers.IntegerField()
    own = serializers.BooleanField(help_text="Whether it is a row of their own, and not that of each person.")


class SharesSerializer(serializers.Serializer[Any]):
    """The shares of a tenant's quota, and what is held of them."""

    shares = QuotaShareSerializer(many=True)
    uses = ShareUseSerializer(many=True, help_text="At most 500; people who hold something or have a row, by name.")


class ShareChangeSerializer(StrictSerializer):
    """A share to be set: of `user`, of `priority`, or with neither of each person."""

    type = TextField(max_length=40, help_text="The key of a resource type.")
    user = TextField(required=False, max_length=254, help_text="A user name or an address.")
    priority = serializers.ChoiceField(choices=PRIORITIES, required=False, help_text="Platform admins only.")
    limit = NumberField(
        allow_null=True, min_value=0, max_value=specs.MOST_OF_ALL, help_text="null takes the share away."
    )


class SharesView(ApiView):
    """Shares of a tenant's quota."""

    @endpoint(Action.TENANT_VIEW, answers={200: SharesSerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show what people and priorities may hold of a tenant's quota, and what they hold."""
        user = caller(request)
        return _shown(user, tenant_get(user=user, slug=slug))

    @endpoint(Action.TENANT_SHARES, body=ShareChangeSerializer, answers={200: SharesSerializer})
    def put(self, request: Request, slug: str) -> Response:
        """Set one share: people's by the tenant's admins, priorities' by platform admins. Who holds more keeps it."""
        user = caller(request)
        tenant = tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_SHARES, tenant)
        values = parsed(ShareChangeSerializer, request)
        whose = Whose(user=_person(values.get("user", "")), priority=values.get("priority", ""))
        share_set(actor=user, tenant=tenant, whose=whose, key=values["type"], limit=values["limit"])
        return _shown(user, tenant)


def _person(name: str) -> User | None:
    found = directory.person_named(name)
    if name and found is None:
        raise missing("user", name)
    return found


def _shown(user: User, tenant: Tenant) -> Response:
    sheet = sharereads.sheet_of(user=user, tenant=tenant)
    told = [
        {
            "type": row.type.key,
            "whose": row.whose,
            "user": row.user.get_username() if row.user else "",
            "priority": row.priority,
            "limit": row.limit,
        }
        for row in sheet.shares
    ]
    uses = [
        {
            "type": use.type.key,
            "user": use.user,
            "priority": use.priority,
            "held": use.held,
            "limit": use.limit,
            "own": use.own,
        }
        for use in sheet.uses
    ]
    return Response(SharesSerializer({"shares": told, "uses": uses}).data)
