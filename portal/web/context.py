"""What the shell of every page shows: the reader's tenants and the health of the cluster. Two statements."""

from typing import Any

from django.http import HttpRequest

from portal.core.models import User
from portal.web.cluster_health import cluster_health
from tenants.models import Tenant

TENANT_SESSION_KEY = "tenant"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return nav_tenants (at most 50), current_tenant and cluster_status; nothing for signed-out readers."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    tenants = list(Tenant.objects.visible_to(user).order_by("slug")[:50])
    chosen = request.GET.get("tenant") or request.session.get(TENANT_SESSION_KEY)
    current = next((tenant for tenant in tenants if tenant.slug == chosen), tenants[0] if tenants else None)
    return {"nav_tenants": tenants, "current_tenant": current, "cluster_status": cluster_health()}
