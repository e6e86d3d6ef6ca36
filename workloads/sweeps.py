"""What repeats a hint that was lost: rows whose observed state lags are hinted again, what has expired is removed.

Runs in the controller's loop, under its lease. Each sweep is a constant number of statements. While many tasks wait in
the broker nothing is hinted again: in a ramp of thousands the repeats would outnumber the work.
"""

import time
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from portal import env
from portal.core.hints import backlog, hint
from portal.core.leases import Held, fence
from tenants import selectors as tenants
from tenants.tasks import reconcile_tenant
from workloads import tasks
from workloads.specs import EndState, Reason, State

SWEEP_EVERY_S = 5.0
TENANT_CHECK_EVERY_S = 45.0
CLEAN_AFTER_S = 30.0
MOST_HINTS = 500

# Chosen once, in a WITH: a subquery of IN may be run again for each row, and its limit with it.
_LAGGING = """
WITH chosen AS MATERIALIZED (
  SELECT w.id FROM workloads_workload w
  WHERE w.state = ANY(%(active)s)
    AND (w.claimed_until IS NULL OR w.claimed_until <= clock_timestamp())
    AND (w.hinted_at IS NULL OR w.hinted_at <= clock_timestamp() - make_interval(secs => %(every)s))
    AND (w.state = 'stopping' OR EXISTS (
      SELECT 1 FROM workloads_attempt a
      WHERE a.workload_id = w.id AND a.released_at IS NULL
        AND (a.ended_at IS NULL AND a.object_uid = '' OR a.reason_code = %(drained)s)))
  ORDER BY w.hinted_at NULLS FIRST, w.created LIMIT %(most)s
  FOR NO KEY UPDATE SKIP LOCKED)
UPDATE workloads_workload w SET hinted_at = clock_timestamp() FROM chosen WHERE w.id = chosen.id RETURNING w.id
"""

_TO_CLEAN = """
WITH chosen AS MATERIALIZED (
  SELECT w.id FROM workloads_workload w
  WHERE w.id IN (
      SELECT a.workload_id FROM workloads_attempt a
      WHERE a.cleaned_at IS NULL AND a.ended_at <= clock_timestamp() - make_interval(secs => %(grace)s)
        AND (w.log_sealed OR a.end_state = %(cancelled)s OR a.reason_code = ANY(%(never_ran)s) OR w.state = 'cancelled')
        AND a.workload_id = w.id)
    AND NOT w.state = ANY(%(active)s)
    AND (w.claimed_until IS NULL OR w.claimed_until <= clock_timestamp())
    AND (w.hinted_at IS NULL OR w.hinted_at <= clock_timestamp() - make_interval(secs => %(every)s))
  LIMIT %(most)s
  FOR NO KEY UPDATE SKIP LOCKED)
UPDATE workloads_workload w SET hinted_at = clock_timestamp() FROM chosen WHERE w.id = chosen.id RETURNING w.id
"""

_ACTIVE = [State.QUEUED.value, State.STARTING.value, State.RUNNING.value, State.STOPPING.value, State.SUSPENDED.value]


class Sweeper:
    """The sweeps of one term of leadership."""

    def __init__(self, held: Held, *, every_s: float | None = None) -> None:
        self._held = held
        self.every_s = env.number("BERTH_SWEEP_EVERY_S", SWEEP_EVERY_S) if every_s is None else every_s
        self._last_s = float("-inf")
        self._tenants: dict[UUID, tuple[float, float]] = {}

    def due(self) -> bool:
        """Tell whether it is time."""
        return time.monotonic() - self._last_s >= self.every_s

    def sweep(self) -> None:
        """Hint what lags, remove what has expired. Raises LeaseLost, DatabaseError."""
        self._last_s = time.monotonic()
        is_room = backlog() < MOST_HINTS  # else the workers have not come yet to what was hinted before
        with transaction.atomic():
            fence(self._held)
            if is_room:
                for workload_id in [*self._hinted(_LAGGING), *self._hinted(_TO_CLEAN)]:
                    hint(tasks.reconcile_workload, str(workload_id))
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM core_idempotencykey WHERE expires_at < clock_timestamp()")
        for tenant_id in self._tenants_due():
            hint(reconcile_tenant, str(tenant_id))

    def _hinted(self, statement: str) -> list[UUID]:
        given: dict[str, Any] = {
            "active": _ACTIVE,
            "every": self.every_s,
            "grace": CLEAN_AFTER_S,
            "cancelled": EndState.CANCELLED.value,
            "drained": Reason.DRAINED.value,
            "never_ran": [Reason.REFUSED.value, Reason.FOREIGN_OBJECT.value],
            "most": MOST_HINTS,
        }
        with connection.cursor() as cursor:
            cursor.execute(statement, given)
            return [row[0] for row in cursor.fetchall()]

    def _tenants_due(self) -> list[UUID]:
        """Return tenants to look at again; one that makes no progress is asked after ever more rarely, up to 30 s."""
        wanted = {*tenants.tenant_ids_not_applied(), *tenants.tenant_ids_to_check(older_than_s=TENANT_CHECK_EVERY_S)}
        now = time.monotonic()
        self._tenants = {key: value for key, value in self._tenants.items() if key in wanted}
        due = []
        for tenant_id in sorted(wanted):
            hinted_s, pause_s = self._tenants.get(tenant_id, (float("-inf"), self.every_s / 2))
            if now - hinted_s >= pause_s:
                self._tenants[tenant_id] = (now, min(30.0, pause_s * 2))
                due.append(tenant_id)
        return due
