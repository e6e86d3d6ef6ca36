"""What the demo made, told by the audit trail: so that a reset removes that and nothing else, and it is made once.

Entries are never changed: what was made and later removed has an entry of either kind.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Model

from portal.core import audit
from portal.core.models import AuditEntry

MADE = "demo.make"
REMOVED = "demo.remove"


def mark_made(target: Model, *, name: str, tenant_id: UUID | None = None) -> None:
    """Note that the demo made this; one INSERT in the caller's transaction."""
    audit.record(actor=None, action=MADE, target=target, tenant_id=tenant_id, after={"name": name})


def mark_removed(target: Model, *, name: str, tenant_id: UUID | None = None) -> None:
    """Note that a reset of the demo removes this; one INSERT in the caller's transaction."""
    audit.record(actor=None, action=REMOVED, target=target, tenant_id=tenant_id, before={"name": name})


def was_made(target: Model) -> bool:
    """Tell whether the demo made this."""
    label = target._meta.label_lower
    return AuditEntry.objects.filter(action=MADE, target_type=label, target_id=str(target.pk)).exists()


def ids_made(model: type[Model]) -> list[UUID]:
    """Return the ids of everything of a kind that the demo ever made."""
    rows = AuditEntry.objects.filter(action=MADE, target_type=model._meta.label_lower)
    return [UUID(found) for found in rows.order_by("id").values_list("target_id", flat=True)]


def names_made(model: type[Model], *, tenant_ids: Sequence[UUID]) -> set[str]:
    """Return the names that the demo has given to things of a kind in some tenants."""
    rows = AuditEntry.objects.filter(action=MADE, target_type=model._meta.label_lower, tenant_id__in=tenant_ids)
    return {str(after["name"]) for after in rows.values_list("after", flat=True) if after}


def removed(model: type[Model]) -> dict[UUID, str]:
    """Return {id: name} of everything of a kind that resets have removed."""
    rows: Any = AuditEntry.objects.filter(action=REMOVED, target_type=model._meta.label_lower)
    return {
        UUID(found): str((before or {}).get("name", "")) for found, before in rows.values_list("target_id", "before")
    }
