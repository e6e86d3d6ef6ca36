"""Reads of notices: always the reader's own."""

from typing import Any

from django.db.models import Count, QuerySet, Window

from portal.core.models import User
from portal.notices.models import Notice

MOST_ON_HOME = 3


def notice_list(*, user: User, unread: bool = False) -> QuerySet[Notice]:
    """Return the reader's notices, newest first; `unread` leaves out what was read."""
    rows = Notice.objects.visible_to(user).order_by("-created", "-id")
    return rows.filter(read_at__isnull=True) if unread else rows


def unread_notices(*, user: User) -> tuple[list[Notice], int]:
    """Return the newest three unread notices, and how many there are in all. One statement."""
    counted = notice_list(user=user, unread=True).annotate(in_all=Window(Count("pk")))
    rows: list[Any] = list(counted[:MOST_ON_HOME])
    return rows, rows[0].in_all if rows else 0
