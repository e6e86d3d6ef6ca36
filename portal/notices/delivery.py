"""Sends what is to go out of the portal through Apprise, to the addresses in BERTH_NOTIFY_URLS.

Rows come first: a message that was not sent stays and is tried again, later each time, and given up after eight tries.
A worker that dies between sending and noting it sends once more. Addresses hold secrets: they are never logged or kept.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping

import apprise
import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone, translation

from portal.notices.models import Notice, Outgoing
from portal.notices.wording import text_of

MOST_TRIES = 8
FIRST_PAUSE_S = 30
MOST_AT_ONCE = 50
NOTICE_DAYS = 180
OUTGOING_DAYS = 30
MOST_FORGOTTEN = 5_000
log = structlog.get_logger(__name__)

# Claimed by moving the next try ahead: no transaction is open while something is sent.
_CLAIM = """
WITH due AS MATERIALIZED (
  SELECT id FROM notices_outgoing
  WHERE sent_at IS NULL AND given_up_at IS NULL AND next_try_at <= clock_timestamp()
  ORDER BY next_try_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED)
UPDATE notices_outgoing o SET tries = o.tries + 1,
  next_try_at = clock_timestamp() + make_interval(secs => %(pause)s * power(2, o.tries))
FROM due WHERE o.id = due.id RETURNING o.id
"""


def targets() -> dict[str, str]:
    """Return the configured addresses by their digests."""
    return {hashlib.sha256(url.encode()).hexdigest(): url for url in settings.NOTIFY_URLS}


def deliver() -> int:
    """Send what is due, at most 50 messages; return how many were sent. Not to be called inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"most": MOST_AT_ONCE, "pause": FIRST_PAUSE_S})
        ids = [row[0] for row in cursor.fetchall()]
    addresses = targets()
    return sum(_delivered(message, addresses) for message in Outgoing.objects.filter(pk__in=ids).order_by("pk"))


def forget() -> None:
    """Delete notices older than half a year and messages older than 30 days, at most 5,000 of each. Two statements."""
    now = timezone.now()
    notices = Notice.objects.filter(created__lt=now - dt.timedelta(days=NOTICE_DAYS)).order_by("created")
    messages = Outgoing.objects.filter(created__lt=now - dt.timedelta(days=OUTGOING_DAYS)).order_by("created")
    Notice.objects.filter(pk__in=notices.values("pk")[:MOST_FORGOTTEN]).delete()
    Outgoing.objects.filter(pk__in=messages.values("pk")[:MOST_FORGOTTEN]).delete()


def _delivered(message: Outgoing, addresses: Mapping[str, str]) -> bool:
    address = addresses.get(message.target)
    sent = address is not None and _sent(address, message)
    row = Outgoing.objects.filter(pk=message.pk)
    if sent:
        row.update(sent_at=Now())
    elif address is None or message.tries >= MOST_TRIES:
        row.update(given_up_at=Now())
        log.warning("notice given up", message=message.pk, tries=message.tries, address_known=address is not None)
    return sent


def _sent(address: str, message: Outgoing) -> bool:
    with translation.override(settings.LANGUAGE_CODE):
        text = text_of(message.kind, message.facts)
    outside = apprise.Apprise()
    if not outside.add(address):
        return False
    return bool(outside.notify(title="Berth", body=f"{text}\n{settings.PUBLIC_ADDRESS.url}{message.url}"))
