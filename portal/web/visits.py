"""When somebody was here last: what failed since then needs them. Written at most every five minutes."""

import datetime as dt

from portal.core.models import User
from portal.web.models import Visit

PAUSE = dt.timedelta(minutes=30)  # a longer one begins another visit
WRITE_EVERY = dt.timedelta(minutes=5)


def last_visit(*, user: User, now: dt.datetime) -> dt.datetime | None:
    """Return when the person's visit before this one ended, and note that they are here. One or two statements."""
    seen = Visit.objects.filter(user=user).first()
    if seen is None:
        Visit.objects.bulk_create([Visit(user=user, seen_at=now)], ignore_conflicts=True)
        return None
    before = seen.seen_at if now - seen.seen_at > PAUSE else seen.before_at
    if now - seen.seen_at > WRITE_EVERY:
        Visit.objects.filter(user=user).update(seen_at=now, before_at=before)
    return before
