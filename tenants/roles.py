"""Which actions each tenant role grants. Rows of data; `portal.core.policy` asks them."""

from django.db.models import Model

from portal.core.models import User
from portal.core.policy import Action
from tenants.models import Membership, Tenant
from tenants.specs import Role

_VIEWER = frozenset({Action.TENANT_VIEW, Action.WORKLOAD_VIEW})
_DEVELOPER = _VIEWER | {Action.WORKLOAD_SUBMIT, Action.WORKLOAD_CANCEL}
_ADMIN = _DEVELOPER | {Action.WORKLOAD_CANCEL_ANY, Action.TENANT_MEMBERS}

GRANTS: dict[str, frozenset[Action]] = {Role.VIEWER: _VIEWER, Role.DEVELOPER: _DEVELOPER, Role.ADMIN: _ADMIN}


def role_in(user: User, tenant: Tenant) -> str | None:
    """Return the user's role in a tenant, or None. One query, remembered on the user object for its request."""
    cache: dict[object, str] | None = getattr(user, "roles_seen", None)
    if cache is None:
        cache = dict(Membership.objects.filter(user=user).values_list("tenant_id", "role"))
        user.roles_seen = cache  # type: ignore[attr-defined]
    return cache.get(tenant.pk)


def grants_in(user: User, tenant: Tenant) -> frozenset[Action]:
    """Return what the user's membership grants in a tenant."""
    role = role_in(user, tenant)
    return GRANTS[role] if role else frozenset()


def grants_on_tenant_object(user: User, obj: Model) -> frozenset[Action]:
    """Return what the user's membership grants on a tenant, or on an object that has one."""
    tenant = obj if isinstance(obj, Tenant) else obj.tenant  # type: ignore[attr-defined]
    return grants_in(user, tenant)
