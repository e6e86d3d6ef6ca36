"""What the shell of every page shows: the reader's tenants and the health of the cluster. Two statements, or one where
the reader's roles were asked before."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from portal.core.models import User
from portal.web.cluster_health import cluster_health
from portal.web.node import process_node
from tenants.models import Tenant
from tenants.roles import memberships_of

TENANT_SESSION_KEY = "tenant"
MOST_TENANTS = 50


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return nav_tenants (at most 50), current_tenant, cluster_status and process_node; nothing when signed out."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    tenants = _tenants_of(user)
    chosen = request.GET.get("tenant") or request.session.get(TENANT_SESSION_KEY)
    only = tenants[0] if len(tenants) == 1 else None
    current = next((tenant for tenant in tenants if tenant.slug == chosen), only)
    return {
        "nav_tenants": tenants,
        "current_tenant": current,
        "cluster_status": cluster_health(),
        "process_node": process_node(settings.NODE),
    }


def _tenants_of(user: User) -> list[Tenant]:
    if user.is_platform_admin or user.is_auditor:
        return list(Tenant.objects.visible_to(user).order_by("slug")[:MOST_TENANTS])
    return [found.tenant for found in memberships_of(user)][:MOST_TENANTS]
