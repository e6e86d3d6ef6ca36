"""What the shell of every page shows: the reader's tenants and the health of the cluster. Two statements, or one where
the reader's roles were asked before."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from portal.core.models import User
from portal.web.cluster_health import cluster_health
from portal.web.node import process_node
from tenants.roles import shown_tenants

TENANT_SESSION_KEY = "tenant"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return nav_tenants (at most 50), current_tenant, cluster_status and process_node; nothing when signed out."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    tenants = shown_tenants(user)
    chosen = request.GET.get("tenant") or request.session.get(TENANT_SESSION_KEY)
    only = tenants[0] if len(tenants) == 1 else None
    current = next((tenant for tenant in tenants if tenant.slug == chosen), only)
    return {
        "nav_tenants": tenants,
        "current_tenant": current,
        "cluster_status": cluster_health(),
        "process_node": process_node(settings.NODE),
    }
