"""When somebody was here last: what failed since then needs them. Written at most every five minutes."""

import datetime as dt
from typing import Any

from django.db import connection

from portal.core.models import User

PAUSE = dt.timedelta(minutes=30)  # a longer one begins another visit
WRITE_EVERY = dt.timedelta(minutes=5)

# What stood there before decides; the row is written only when it is old enough.
_LOOK = """
WITH before AS (SELECT seen_at, CASE WHEN %(now)s - seen_at > %(pause)s THEN seen_at ELSE before_at END AS visited
                FROM web_visit WHERE user_id = %(user)s),
     written AS (INSERT INTO web_visit AS v (user_id, seen_at, before_at) VALUES (%(user)s, %(now)s, NULL)
                 ON CONFLICT (user_id) DO UPDATE SET seen_at = %(now)s,
                   before_at = CASE WHEN %(now)s - v.seen_at > %(pause)s THEN v.seen_at ELSE v.before_at END
                 WHERE %(now)s - v.seen_at > %(write_every)s)
SELECT visited FROM before
"""


def last_visit(*, user: User, now: dt.datetime) -> dt.datetime | None:
    """Return when the person's visit before this one ended, and note that they are here. One statement."""
    given: dict[str, Any] = {"user": user.pk, "now": now, "pause": PAUSE, "write_every": WRITE_EVERY}
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, given)
        found = cursor.fetchone()
    return found[0] if found else None
