"""REST of tenants: a method parses, asks one selector or service, and answers."""

from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import directory, policy
from portal.core.api.once import created_once, replayed
from portal.core.api.paging import keyset_page, page_response, page_serializer
from portal.core.api.views import ApiView, caller, endpoint, missing, parsed
from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action
from tenants import selectors, services
from tenants.api.shapes import (
    HistorySerializer,
    MemberRoleSerializer,
    MemberSerializer,
    NewMemberSerializer,
    NewTenantSerializer,
    TenantChangeSerializer,
    TenantSerializer,
)
from tenants.models import Membership, Tenant
from tenants.specs import Excess, Role


class TenantsView(ApiView):
    """All tenants that somebody may see."""

    @endpoint(Action.TENANT_VIEW, answers={200: page_serializer(TenantSerializer)})
    def get(self, request: Request) -> Response:
        """List the tenants that you may see, with their limits and what they hold."""
        page = keyset_page(request, Tenant.objects.visible_to(caller(request)), order=("name", "id"))
        return page_response(request, page, TenantSerializer, lines=selectors.quota_lines(page.rows))

    @endpoint(Action.TENANT_CREATE, body=NewTenantSerializer, answers={201: TenantSerializer}, creates=True)
    def post(self, request: Request) -> Response:
        """Create a tenant; platform admins only. Its namespace is made after the answer."""
        user, values = caller(request), parsed(NewTenantSerializer, request)
        policy.require(user, Action.TENANT_CREATE)
        slug, name, limits = values["slug"], values["name"], values["limits"]
        tenant, again = created_once(
            request,
            lambda: services.tenant_create(actor=user, slug=slug, name=name, limits=limits),
            lambda first: _tenant_by_id(user, first),
        )
        return replayed(_shown(tenant, status=201), found=again)


class TenantView(ApiView):
    """One tenant."""

    @endpoint(Action.TENANT_VIEW, answers={200: TenantSerializer})
    def get(self, request: Request, slug: str) -> Response:
        """Show a tenant, its limits and what it holds."""
        return _shown(selectors.tenant_get(user=caller(request), slug=slug))

    @endpoint(Action.TENANT_EDIT_LIMITS, body=TenantChangeSerializer, answers={200: TenantSerializer})
    def patch(self, request: Request, slug: str) -> Response:
        """Change a tenant's name, limits or rules; platform admins only."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_EDIT_LIMITS, tenant)
        values = parsed(TenantChangeSerializer, request)
        quota = {key: {"nominal": amount} for key, amount in values.get("limits", {}).items()}
        name, rules, excess = values.get("name", tenant.name), values.get("rules"), Excess(values["excess"])
        return _shown(
            services.tenant_update(actor=user, tenant=tenant, name=name, quota=quota, rules=rules, excess=excess)
        )


class TenantHistoryView(ApiView):
    """What was done to a tenant."""

    @endpoint(Action.TENANT_HISTORY, answers={200: page_serializer(HistorySerializer)})
    def get(self, request: Request, slug: str) -> Response:
        """List what was done to a tenant and its members, newest first; for its admins and auditors."""
        user = caller(request)
        rows = selectors.tenant_history(user=user, tenant=selectors.tenant_get(user=user, slug=slug))
        return page_response(request, keyset_page(request, rows, order=("-id",)), HistorySerializer)


class MembersView(ApiView):
    """Who belongs to a tenant."""

    @endpoint(Action.TENANT_VIEW, answers={200: page_serializer(MemberSerializer)})
    def get(self, request: Request, slug: str) -> Response:
        """List a tenant's members by user name."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        rows = Membership.objects.filter(tenant=tenant).select_related("user")
        return page_response(request, keyset_page(request, rows, order=("user__username",)), MemberSerializer)

    @endpoint(Action.TENANT_MEMBERS, body=NewMemberSerializer, answers={200: MemberSerializer})
    def post(self, request: Request, slug: str) -> Response:
        """Give somebody a role in a tenant, in place of any other."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_MEMBERS, tenant)
        values = parsed(NewMemberSerializer, request)
        member = directory.person_named(values["username"])
        if member is None:
            raise missing("username", values["username"])
        role = Role(values["role"])
        return Response(
            MemberSerializer(services.membership_set(actor=user, tenant=tenant, user=member, role=role)).data
        )


class MemberView(ApiView):
    """One member of a tenant."""

    @endpoint(Action.TENANT_MEMBERS, body=MemberRoleSerializer, answers={200: MemberSerializer})
    def put(self, request: Request, slug: str, username: str) -> Response:
        """Give a member another role."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_MEMBERS, tenant)
        role = Role(parsed(MemberRoleSerializer, request)["role"])
        member = _member(tenant, username)
        return Response(
            MemberSerializer(services.membership_set(actor=user, tenant=tenant, user=member, role=role)).data
        )

    @endpoint(Action.TENANT_MEMBERS, answers={204: None})
    def delete(self, request: Request, slug: str, username: str) -> Response:
        """Take somebody out of a tenant."""
        user = caller(request)
        tenant = selectors.tenant_get(user=user, slug=slug)
        policy.require(user, Action.TENANT_MEMBERS, tenant)
        services.membership_remove(actor=user, tenant=tenant, user=_member(tenant, username))
        return Response(status=204)


def _shown(tenant: Tenant, *, status: int = 200) -> Response:
    lines = selectors.quota_lines([tenant])
    return Response(TenantSerializer(tenant, context={"lines": lines}).data, status=status)


def _tenant_by_id(user: User, tenant_id: UUID) -> Tenant:
    tenant = Tenant.objects.visible_to(user).filter(pk=tenant_id).first()
    if tenant is None:
        raise NotVisible
    return tenant


def _member(tenant: Tenant, username: str) -> User:
    member = User.objects.filter(memberships__tenant=tenant, username=username).first()
    if member is None:
        raise NotVisible
    return member
