"""The audit trail: services call `record` in the transaction of the change it speaks of."""

from collections.abc import Iterable
from typing import Any

import structlog
from django.db.models import Model

from portal.core.models import AuditEntry, User


def record(
    *,
    actor: User | None,
    action: str,
    target: Model,
    tenant_id: Any = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Append one entry; the values must hold no secret. One INSERT in the caller's transaction."""
    entry(actor=actor, action=action, target=target, tenant_id=tenant_id, before=before, after=after).save()


def record_all(entries: Iterable[AuditEntry]) -> None:
    """Append entries, made by `entry`, in their order. One INSERT in the caller's transaction."""
    AuditEntry.objects.bulk_create(entries)


def entry(
    *,
    actor: User | None,
    action: str,
    target: Model,
    tenant_id: Any = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Return an entry that is not appended yet; the values must hold no secret."""
    return AuditEntry(
        actor=actor,
        actor_name=actor.get_username() if actor else "berth",
        action=action,
        target_type=target._meta.label_lower,
        target_id=str(target.pk),
        tenant_id=tenant_id,
        before=before,
        after=after,
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
