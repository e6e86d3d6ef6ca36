"""Time as the database tells it: leases, claims and staleness compare only times of this one clock."""

from datetime import datetime

from django.db import connection


def db_now() -> datetime:
    """Return the database's time at this moment (not at the transaction's start). One statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
