"""Keeps the history of the quota ledger: samples within each hour, bounded deletes of what is old, and reads of it.

Beat calls `sample` every few minutes. What was not sampled is absent and stays so: nobody can say later what was held.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import Count, DateTimeField, F, FloatField, Func, Max, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Cast, JSONObject
from django.utils import timezone

from tenants.models import QuotaHour

SAMPLE_EVERY_S = 300
DAYS_SHOWN = 30
STEP_HOURS = 6
MOST_FORGOTTEN = 10_000
_ORIGIN = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

# A type of which a tenant may hold nothing and holds nothing is left out. A second sample within the same stretch of
# five minutes (a task sent twice, two beats) changes nothing.
_SAMPLE = """
INSERT INTO tenants_quotahour AS h
  (tenant_id, type_id, hour, nominal, borrow_limit, used_sum, used_max, samples, sampled_at)
SELECT l.tenant_id, l.type_id, date_trunc('hour', now.at, 'UTC'), l.nominal, l.borrow_limit, l.used, l.used, 1, now.at
FROM tenants_quotaline l, (SELECT COALESCE(%(now)s, clock_timestamp()) AS at) now
WHERE l.nominal + l.borrow_limit + l.used > 0
ON CONFLICT (tenant_id, type_id, hour) DO UPDATE SET
  nominal = excluded.nominal, borrow_limit = excluded.borrow_limit, used_sum = h.used_sum + excluded.used_sum,
  used_max = GREATEST(h.used_max, excluded.used_max), samples = h.samples + 1, sampled_at = excluded.sampled_at
WHERE h.sampled_at < date_bin(make_interval(secs => %(every)s), excluded.sampled_at, h.hour)
"""
_FORGET = """
DELETE FROM tenants_quotahour WHERE id IN (
  SELECT id FROM tenants_quotahour WHERE hour < clock_timestamp() - make_interval(days => %(days)s)
  ORDER BY hour LIMIT %(most)s)
"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a tenant held of a type in some hours, in the type's unit: the average and the most; the highest nominal.

    `hours` of the six from `start` were sampled.
    """

    start: dt.datetime
    hours: int
    used: float
    used_max: int
    nominal: int


def sample(*, now: dt.datetime | None = None) -> int:
    """Note what each tenant holds now; return how many rows were written. One statement.

    `now` stands for the database's clock. A repeated call within five minutes writes nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SAMPLE, {"now": now, "every": SAMPLE_EVERY_S})
        return int(cursor.rowcount)


def forget() -> int:
    """Delete hours older than is kept, at most 10,000 rows; return how many. One statement, none where all are kept."""
    if not settings.QUOTA_HISTORY_DAYS:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"days": settings.QUOTA_HISTORY_DAYS, "most": MOST_FORGOTTEN})
        return int(cursor.rowcount)


def with_stretches(lines: QuerySet[Any], *, now: dt.datetime | None = None) -> Any:
    """Add `told_stretches` to rows that have a tenant and a type, for `stretches_of`. Costs no statement more."""
    first = (now or timezone.now()) - dt.timedelta(days=DAYS_SHOWN)
    width, origin = Value(dt.timedelta(hours=STEP_HOURS)), Value(_ORIGIN, output_field=DateTimeField())
    start = Func(width, F("hour"), origin, function="date_bin", output_field=DateTimeField())
    hours = QuotaHour.objects.filter(tenant=OuterRef("tenant"), type=OuterRef("type"), hour__gte=first)
    told = JSONObject(
        start="start",
        hours=Count("pk"),
        used=Cast(Sum("used_sum"), FloatField()) / Sum("samples"),
        used_max=Max("used_max"),
        nominal=Max("nominal"),
    )
    steps = hours.annotate(start=start).values("start").annotate(told=told).order_by("start")
    return lines.annotate(told_stretches=ArraySubquery(steps.values("told")))


def stretches_of(row: Any) -> list[Stretch]:
    """Return the last 30 days of a row that `with_stretches` read, by stretches of six hours, oldest first."""
    return [Stretch(**{**told, "start": dt.datetime.fromisoformat(told["start"])}) for told in row.told_stretches]


def share_not_held(stretches: Collection[Stretch]) -> float | None:
    """Return how many percent of the nominal quota were not held on the average; None where nothing is known."""
    given = sum(step.nominal * step.hours for step in stretches)
    idle = sum(max(0.0, step.nominal - step.used) * step.hours for step in stretches)
    return 100 * idle / given if given else None
