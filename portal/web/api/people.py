"""Endpoints of people's accounts, for those who run the platform: the same services as the pages."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import directory, people, policy
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, parsed, parsed_query
from portal.core.models import PlatformRole, User
from portal.core.people import Account
from portal.core.policy import Action
from tenants.api.shapes import HistorySerializer
from tenants.models import Membership
from tenants.specs import Role
from workloads.api.strict import StrictSerializer, TextField

MAX_TEXT = 100


class UserQuerySerializer(StrictSerializer):
    """Which accounts."""

    berth_allowed = frozenset({"limit", "cursor"})
    q = serializers.CharField(required=False, max_length=MAX_TEXT, help_text="Part of a name or an address.")
    which = serializers.ChoiceField(choices=list(directory.WHICH), required=False)


class SeatSerializer(serializers.Serializer[Membership]):
    """A tenant, and the role in it."""

    tenant = serializers.CharField(source="tenant.slug", help_text="The tenant's slug.")
    role = serializers.ChoiceField(choices=[role.value for role in Role])


class UserSerializer(serializers.Serializer[User]):
    """An account."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    full_name = serializers.CharField(source="get_full_name")
    email = serializers.CharField()
    platform_role = serializers.ChoiceField(choices=PlatformRole.values)
    active = serializers.BooleanField(source="is_active")
    created = serializers.DateTimeField(source="date_joined")
    last_login = serializers.DateTimeField(allow_null=True)
    memberships = SeatSerializer(many=True)


class NewUserSerializer(StrictSerializer):
    """An account to be."""

    username = TextField(max_length=150)
    full_name = TextField(max_length=150, allow_blank=True, required=False)
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    platform_role = serializers.ChoiceField(choices=PlatformRole.values, required=False)


class UserChangeSerializer(StrictSerializer):
    """What may be changed."""

    active = serializers.BooleanField(help_text="False: signed out, tokens refused, cannot sign in.")
    platform_role = serializers.ChoiceField(choices=PlatformRole.values)


class PasswordLinkSerializer(serializers.Serializer[Any]):
    """Where an account's owner sets a password, once."""

    url = serializers.URLField(help_text="A secret; hand it to the owner alone.")


class UsersView(ApiView):
    """All accounts."""

    @endpoint(Action.USER_VIEW, answers={200: page_serializer(UserSerializer)}, query=UserQuerySerializer)
    def get(self, request: Request) -> Response:
        """List accounts by user name; for platform admins and auditors."""
        asked = parsed_query(UserQuerySerializer, request)
        rows = directory.accounts(actor=caller(request), text=asked.get("q", ""), which=asked.get("which", ""))
        page = keyset_page(request, rows.prefetch_related(_SEATS), order=("username",))
        return page_response(request, page, UserSerializer)

    @endpoint(Action.USER_MANAGE, body=NewUserSerializer, answers={201: UserSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Make an account. Its owner cannot sign in before they set a password by a password link."""
        actor = caller(request)
        policy.require(actor, Action.USER_MANAGE)
        account = Account(**parsed(NewUserSerializer, request))
        user, again = created_once(
            request,
            lambda: people.account_create(actor=actor, account=account),
            lambda first: directory.account_get(actor=actor, user_id=first),
        )
        return replayed(Response(UserSerializer(user).data, status=201), found=again)


class UserView(ApiView):
    """One account."""

    @endpoint(Action.USER_VIEW, answers={200: UserSerializer})
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show an account and its memberships."""
        return _shown(directory.account_get(actor=caller(request), user_id=user_id))

    @endpoint(Action.USER_MANAGE, body=UserChangeSerializer, answers={200: UserSerializer})
    def patch(self, request: Request, user_id: UUID) -> Response:
        """Switch an account off or on, or give it another platform role. The last platform admin stays one."""
        actor = caller(request)
        user = directory.account_get(actor=actor, user_id=user_id)
        policy.require(actor, Action.USER_MANAGE, user)
        values = parsed(UserChangeSerializer, request, partial=True)
        with transaction.atomic():
            if "platform_role" in values:
                user = people.account_set_role(actor=actor, user=user, role=values["platform_role"])
            if "active" in values:
                change = people.account_switch_on if values["active"] else people.account_switch_off
                user = change(actor=actor, user=user)
        return _shown(user)


class PasswordLinkView(ApiView):
    """The way to a first password, or to a new one."""

    @endpoint(Action.USER_MANAGE, answers={201: PasswordLinkSerializer})
    def post(self, request: Request, user_id: UUID) -> Response:
        """Make a link by which an account's owner sets a password: good once, for three days."""
        actor = caller(request)
        path = people.password_link(actor=actor, user=directory.account_get(actor=actor, user_id=user_id))
        url = request.build_absolute_uri(path)
        return Response({"url": url}, status=201, headers={"Cache-Control": "no-store"})


class UserHistoryView(ApiView):
    """What was done to an account."""

    @endpoint(Action.USER_VIEW, answers={200: page_serializer(HistorySerializer)})
    def get(self, request: Request, user_id: UUID) -> Response:
        """List what was done to an account, newest first."""
        actor = caller(request)
        rows = directory.account_history(actor=actor, user=directory.account_get(actor=actor, user_id=user_id))
        return page_response(request, keyset_page(request, rows, order=("-id",)), HistorySerializer)


_SEATS = Prefetch("memberships", Membership.objects.select_related("tenant").order_by("tenant__slug"))


def _shown(user: User) -> Response:
    rows = User.objects.prefetch_related(_SEATS).filter(pk=user.pk)
    return Response(UserSerializer(rows.get()).data)
