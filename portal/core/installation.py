"""Which Berth this is: the id that labels every object in the cluster."""

import uuid

from portal.core.models import Installation


def installation_id() -> uuid.UUID:
    """Return this installation's id. The first migration makes the row; callers keep the id, it never changes."""
    row, _ = Installation.objects.get_or_create(singleton=True)
    return row.id
