"""Which actions each tenant role grants. Rows of data; `portal.core.policy` asks them."""

from uuid import UUID

from django.db.models import F, FilteredRelation, Model, Q

from portal.core.models import User
from portal.core.policy import Action
from tenants.models import Membership, Tenant
from tenants.specs import Role

MOST_SHOWN = 50
_VIEWER = frozenset({Action.TENANT_VIEW, Action.WORKLOAD_VIEW, Action.TEMPLATE_VIEW})
_DEVELOPER = _VIEWER | {
    Action.WORKLOAD_SUBMIT,
    Action.WORKLOAD_CANCEL,
    Action.TEMPLATE_CREATE,
    Action.QUOTA_REQUEST_CREATE,
}
_ADMIN = _DEVELOPER | {
    Action.WORKLOAD_CANCEL_ANY,
    Action.QUOTA_REQUEST_ANY,
    Action.TENANT_MEMBERS,
    Action.TENANT_SHARES,
    Action.TENANT_HISTORY,
    Action.TEMPLATE_EDIT,
    Action.TEMPLATE_SHARE,
}

GRANTS: dict[str, frozenset[Action]] = {Role.VIEWER: _VIEWER, Role.DEVELOPER: _DEVELOPER, Role.ADMIN: _ADMIN}


def memberships_of(user: User) -> list[Membership]:
    """Return the user's memberships with their tenants, by slug. One query, remembered on the user for its request.

    Who acts by a token that is bound to a tenant has no other. For those who see all tenants the query is that of
    `shown_tenants`, which the shell of each page asks anyway; a second one where they have more than that shows.
    """
    if _sees_all(user) and not hasattr(user, "roles_seen"):
        shown_tenants(user)
    seen: list[Membership] | None = getattr(user, "roles_seen", None)
    if seen is None:
        rows = Membership.objects.filter(user=user).select_related("tenant").order_by("tenant__slug")
        bound = user.bound_tenant_id
        seen = list(rows.filter(tenant_id=bound) if bound else rows)
        user.roles_seen = seen  # type: ignore[attr-defined]
    return seen


def shown_tenants(user: User) -> list[Tenant]:
    """Return at most 50 tenants that the user sees, by slug, own ones before others where there are more.

    One query, or none where their memberships are known and decide it; remembered on the user for its request. For
    those who see all tenants it tells their memberships too.
    """
    seen: list[Tenant] | None = getattr(user, "tenants_seen", None)
    if seen is None:
        seen = _all_tenants(user) if _sees_all(user) else [found.tenant for found in memberships_of(user)][:MOST_SHOWN]
        user.tenants_seen = seen  # type: ignore[attr-defined]
    return seen


def _sees_all(user: User) -> bool:
    return user.is_platform_admin or user.is_auditor


def _all_tenants(user: User) -> list[Tenant]:
    own = FilteredRelation("memberships", condition=Q(memberships__user=user))
    rows = Tenant.objects.visible_to(user).annotate(own=own).annotate(own_role=F("own__role"))
    first = rows.order_by(F("own_role").asc(nulls_last=True), "slug")[:MOST_SHOWN]
    pairs: list[tuple[Tenant, str | None]] = [(row, row.own_role) for row in first]  # type: ignore[attr-defined]
    pairs.sort(key=lambda pair: pair[0].slug)
    own_known = len(pairs) < MOST_SHOWN or any(role is None for _tenant, role in pairs)
    if own_known and not hasattr(user, "roles_seen"):
        own_ones = [Membership(user=user, tenant=tenant, role=role) for tenant, role in pairs if role]
        user.roles_seen = own_ones  # type: ignore[attr-defined]
    return [tenant for tenant, _role in pairs]


def role_in(user: User, tenant: Tenant) -> str | None:
    """Return the user's role in a tenant, or None."""
    return next((found.role for found in memberships_of(user) if found.tenant_id == tenant.pk), None)


def grants_in(user: User, tenant: Tenant) -> frozenset[Action]:
    """Return what the user's membership grants in a tenant."""
    role = role_in(user, tenant)
    return GRANTS[role] if role else frozenset()


def grants_on_tenant_object(user: User, obj: Model) -> frozenset[Action]:
    """Return what the user's membership grants on a tenant, or on an object that has one."""
    if user.is_platform_admin:
        return frozenset()  # all is granted already; memberships need not be read
    tenant = obj if isinstance(obj, Tenant) else obj.tenant  # type: ignore[attr-defined]
    return grants_in(user, tenant)


def with_grant(action: Action) -> list[str]:
    """Return the roles that grant an action."""
    return [role for role, granted in GRANTS.items() if action in granted]


def tenant_id_of(obj: Model) -> UUID:
    """Return the id of a tenant, or of the one that an object belongs to."""
    found: UUID = obj.pk if isinstance(obj, Tenant) else obj.tenant_id  # type: ignore[attr-defined]
    return found
