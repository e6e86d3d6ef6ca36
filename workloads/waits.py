"""How long a tenant's work waited to be admitted, and who waits now: for people who decide on quotas."""

import datetime as dt
import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from portal.core.models import User
from tenants.models import Tenant
from workloads.asks import ASKED_COLUMNS, asked_by
from workloads.models import Workload
from workloads.specs import Desired, Reason, State

DAYS = 30
MOST_WAITING = 500

_OF_TENANT = """
WITH recent AS MATERIALIZED (
  SELECT w.id, COALESCE(a.created, w.ended_at, clock_timestamp()) - w.created AS wait,
         w.state = %(queued)s AND a.id IS NULL AS waits
  FROM workloads_workload w LEFT JOIN workloads_attempt a ON a.workload_id = w.id AND a.n = 1
  WHERE w.tenant_id = %(tenant)s AND w.created >= clock_timestamp() - make_interval(days => %(days)s)),
short AS (
  SELECT e.reason_params ->> 'resource' AS key, COUNT(DISTINCT e.workload_id) AS n
  FROM recent JOIN workloads_workloadevent e ON e.workload_id = recent.id
  WHERE e.reason_code = %(over_quota)s GROUP BY 1)
SELECT COUNT(*), COUNT(*) FILTER (WHERE waits),
       EXTRACT(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY wait))::float,
       EXTRACT(epoch FROM MAX(wait))::float,
       (SELECT COALESCE(jsonb_object_agg(key, n), '{}') FROM short WHERE key IS NOT NULL)::text,
       GREATEST(%(created)s, clock_timestamp() - make_interval(days => %(days)s))
FROM recent
"""


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits of what was submitted since a time, until its first run was admitted or it ended; in seconds.

    `short_of` counts workloads that waited for the tenant's quota, by the resource type that was short first.
    """

    since: dt.datetime
    workloads: int
    waiting_now: int
    median_s: float | None
    longest_s: float | None
    short_of: dict[str, int]


@dataclass(frozen=True, slots=True)
class Queued:
    """A workload that waits, and what it asks by resource type."""

    id: UUID
    tenant_id: UUID
    name: str
    asks: dict[str, int]


def waits_of(tenant: Tenant) -> Waits:
    """Return the waits of the last 30 days, or since the tenant is there. One statement."""
    given: dict[str, Any] = {
        "tenant": tenant.pk,
        "created": tenant.created,
        "days": DAYS,
        "queued": State.QUEUED.value,
        "over_quota": Reason.OVER_QUOTA.value,
    }
    with connection.cursor() as cursor:
        cursor.execute(_OF_TENANT, given)
        count, waiting, median_s, longest_s, short_of, since = cursor.fetchone()
    return Waits(since, count, waiting, median_s, longest_s, json.loads(short_of))


def queued_of(tenant_ids: Collection[UUID]) -> list[Queued]:
    """Return what of these tenants waits to be admitted, in the order of the queue, at most 500. One statement."""
    queued = Workload.objects.filter(tenant__in=tenant_ids, state=State.QUEUED, desired=Desired.RUN)
    columns = ("id", "tenant_id", "name", *ASKED_COLUMNS)
    rows = queued.order_by("priority_rank", "created", "id").values_list(*columns)[:MOST_WAITING]
    return [Queued(row[0], row[1], row[2], asked_by(*row[3:])) for row in rows]


def missing_quota(*, user: User, tenant: Tenant, workload_id: UUID) -> tuple[Workload | None, dict[str, int]]:
    """Return a tenant's workload that waits for its quota, and the nominal amount that would let it start.

    Nothing, where it is missing, not the user's to see, or waits for something else. One statement.
    """
    rows = Workload.objects.visible_to(user).filter(tenant=tenant, pk=workload_id, state=State.QUEUED)
    found = rows.filter(reason_code=Reason.OVER_QUOTA).defer("spec").first()
    if found is None:
        return None, {}
    key, asked, held = (found.reason_params.get(name) for name in ("resource", "asked", "held"))
    known = isinstance(key, str) and isinstance(asked, int) and isinstance(held, int)
    return found, {key: held + asked} if known else {}
