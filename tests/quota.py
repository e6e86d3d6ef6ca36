"""Sets and reads quotas in tests, as an administrator's change does it."""

from dataclasses import replace

from django.db import transaction

from tenants import quotas
from tenants.models import QuotaLine, Tenant


def set_limits(tenant: Tenant, **limits: int) -> None:
    """Set nominal quotas; what is held above them stays as overhang."""
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        quotas.lines_ensured(locked, list(limits))
        book = quotas.book_of([locked], lock=True)
        for key, nominal in limits.items():
            book.rebound(tenant.pk, key, replace(book.pair(tenant.pk, key).line.bounds, nominal=nominal), keep=True)
        quotas.book_write(book)


def limits_of(tenant: Tenant) -> dict[str, int]:
    """Return the nominal quotas by resource type."""
    return dict(QuotaLine.objects.filter(tenant=tenant).values_list("type__key", "nominal"))


def used_by(tenant: Tenant) -> dict[str, int]:
    """Return what the ledger says that a tenant uses; what it uses nothing of is left out."""
    return dict(QuotaLine.objects.filter(tenant=tenant, used__gt=0).values_list("type__key", "used"))
