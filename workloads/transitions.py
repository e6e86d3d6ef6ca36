"""The one door through which states change: guarded in SQL, so that terminal states are final whoever writes late."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from portal.live.publish import WorkloadChanged, publish_workloads
from workloads.models import WorkloadEvent
from workloads.specs import TERMINAL, Reason, State

MAX_PARAM_CHARS = 2_000
_TERMINAL = sorted(state.value for state in TERMINAL)

# A row that is being stopped only goes on to an end, and an end is never left: both whatever the change says. Of an
# attempt that has ended nobody hears late that it starts or runs.
_UPDATE = """
UPDATE workloads_workload AS w SET
  state = c.state, reason_code = c.reason, reason_params = c.params::jsonb,
  version = w.version + 1, updated = clock_timestamp(),
  started_at = CASE WHEN c.state = 'queued' THEN NULL ELSE COALESCE(c.started_at, w.started_at) END,
  exit_code = CASE WHEN c.state = 'queued' THEN NULL ELSE COALESCE(c.exit_code, w.exit_code) END,
  ended_at = CASE WHEN c.state = ANY(%(terminal)s) THEN COALESCE(c.ended_at, clock_timestamp()) ELSE NULL END
FROM unnest(%(ids)s::uuid[], %(states)s::text[], %(reasons)s::text[], %(params)s::text[], %(exit_codes)s::int[],
            %(started)s::timestamptz[], %(ended)s::timestamptz[], %(ns)s::int[])
  AS c(id, state, reason, params, exit_code, started_at, ended_at, n)
WHERE w.id = c.id AND NOT w.state = ANY(%(terminal)s)
  AND (w.state <> 'stopping' OR c.state = 'stopping' OR c.state = ANY(%(terminal)s))
  AND NOT (c.state = ANY(%(running)s) AND EXISTS (
    SELECT 1 FROM workloads_attempt a WHERE a.workload_id = w.id AND a.n = c.n AND a.ended_at IS NOT NULL))
  AND (w.state, w.reason_code, w.reason_params) IS DISTINCT FROM (c.state, c.reason, c.params::jsonb)
RETURNING w.id, w.tenant_id, w.state, w.version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a workload's row should say now; times are by the database's or the cluster's clock."""

    workload_id: UUID
    state: State
    reason: Reason = Reason.NONE
    params: Mapping[str, Any] = field(default_factory=dict)
    attempt_n: int | None = None
    exit_code: int | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    actor_id: UUID | None = None


def apply_changes(changes: Sequence[Change]) -> set[UUID]:
    """Write the changes that differ from their rows, and return the ids that changed.

    A new state or reason makes an event; new numbers of the same reason only change the row. Of several changes to one
    workload the last counts. Call it inside a transaction; publishes on commit. Three statements, however many
    changes. Rows are locked in the order of their ids, so that two writers of batches don't deadlock.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("apply_changes() writes rows and events together: call it inside a transaction")
    latest = {change.workload_id: change for change in changes}
    if not latest:
        return set()
    before = _lock(latest)
    changed = _update(list(latest.values()))
    told = [latest[row.id] for row in changed]
    WorkloadEvent.objects.bulk_create(
        _event(change) for change in told if before[change.workload_id] != (change.state, change.reason)
    )
    if changed:
        transaction.on_commit(lambda: publish_workloads(changed), robust=True)
    return {row.id for row in changed}


def storable(value: Any) -> Any:
    """Return JSON-like data in a form that PostgreSQL can hold: no NUL, no lone surrogates, no endless texts."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:MAX_PARAM_CHARS]
    if isinstance(value, Mapping):
        return {storable(str(key)): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _lock(ids: Iterable[UUID]) -> dict[UUID, tuple[str, str]]:
    """Lock the rows and return the state and reason that each has now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, state, reason_code FROM workloads_workload WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [list(ids)],
        )
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}


def _update(changes: list[Change]) -> list[WorkloadChanged]:
    with connection.cursor() as cursor:
        cursor.execute(
            _UPDATE,
            {
                "terminal": _TERMINAL,
                "running": [State.STARTING.value, State.RUNNING.value],
                "ns": [change.attempt_n for change in changes],
                "ids": [change.workload_id for change in changes],
                "states": [change.state.value for change in changes],
                "reasons": [change.reason.value for change in changes],
                "params": [json.dumps(storable(change.params)) for change in changes],
                "exit_codes": [change.exit_code for change in changes],
                "started": [change.started_at for change in changes],
                "ended": [change.ended_at for change in changes],
            },
        )
        rows = cursor.fetchall()
    return [WorkloadChanged(id=row[0], tenant_id=row[1], state=row[2], version=row[3]) for row in rows]


def _event(change: Change) -> WorkloadEvent:
    return WorkloadEvent(
        workload_id=change.workload_id,
        attempt_n=change.attempt_n,
        state=change.state,
        reason_code=change.reason,
        reason_params=storable(change.params),
        actor_id=change.actor_id,
    )
