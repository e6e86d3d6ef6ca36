"""Tells people: a row for each of them, and one for each address outside; sent after the commit (see `delivery`)."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from portal.core.hints import hint
from portal.core.models import User
from portal.notices import tasks
from portal.notices.delivery import targets
from portal.notices.models import Notice, Outgoing


def notify(*, users: Iterable[UUID], kind: str, facts: dict[str, Any], url: str, tenant_id: UUID | None = None) -> None:
    """Tell these people, each once, and the addresses outside; `url` is a path of the portal.

    In the caller's transaction: two statements at most. The facts must hold no secret.
    """
    told = {"kind": kind, "facts": facts, "url": url}
    Notice.objects.bulk_create(Notice(user_id=user, tenant_id=tenant_id, **told) for user in sorted(set(users)))
    addresses = targets()
    Outgoing.objects.bulk_create(Outgoing(target=target, next_try_at=Now(), **told) for target in addresses)
    if addresses:
        hint(tasks.send_notices)


def notices_read(*, actor: User, ids: Collection[UUID] | None = None) -> int:
    """Mark these of one's own notices as read, or all; return how many were not before. One statement."""
    unread = Notice.objects.visible_to(actor).filter(read_at__isnull=True)
    rows = unread if ids is None else unread.filter(pk__in=ids)
    return rows.update(read_at=Now())
