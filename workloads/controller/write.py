"""Reads and writes of the controller: a constant number of statements for a batch, whatever its size.

Rows are locked workloads first, then attempts, as the workers do it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from tenants.specs import NAMESPACE_PREFIX
from workloads.controller.decide import Patch, Row
from workloads.controller.index import Key
from workloads.specs import Reason, State
from workloads.status import AttemptObservation, PodObservation
from workloads.transitions import storable

_READ = """
SELECT a.id AS attempt_id, a.n, a.object_name, a.object_uid, a.scheduled_at, a.started_at, a.ended_at, a.end_state,
       a.reason_code AS attempt_reason, a.node_name, a.image_digest, a.released_at, a.cleaned_at,
       w.id AS workload_id, w.desired, w.state, w.reason_code, w.reason_params,
       COALESCE((w.spec ->> 'retries')::int, 0) AS retries,
       (SELECT count(*) FROM workloads_attempt d WHERE d.workload_id = w.id AND d.reason_code = %(drained)s) AS drained,
       %(prefix)s || t.slug AS namespace, w.extra
FROM unnest(%(ids)s::uuid[], %(ns)s::int[]) AS k(workload_id, n)
JOIN workloads_attempt a ON a.workload_id = k.workload_id AND a.n = k.n
JOIN workloads_workload w ON w.id = a.workload_id
JOIN tenants_tenant t ON t.id = a.tenant_id
"""

_PATCH = """
UPDATE workloads_attempt AS a SET
  object_uid = CASE WHEN a.object_uid = '' THEN c.object_uid ELSE a.object_uid END,
  object_created_at = COALESCE(a.object_created_at, c.object_created_at),
  scheduled_at = COALESCE(c.scheduled_at, a.scheduled_at),
  started_at = COALESCE(c.started_at, a.started_at),
  node_name = COALESCE(NULLIF(c.node_name, ''), a.node_name),
  image_digest = COALESCE(NULLIF(c.image_digest, ''), a.image_digest),
  end_state = CASE WHEN a.ended_at IS NULL THEN c.end_state ELSE a.end_state END,
  reason_code = CASE WHEN a.ended_at IS NULL THEN c.reason ELSE a.reason_code END,
  reason_params = CASE WHEN a.ended_at IS NULL THEN c.params::jsonb ELSE a.reason_params END,
  exit_code = CASE WHEN a.ended_at IS NULL THEN c.exit_code ELSE a.exit_code END,
  ended_at = CASE WHEN a.ended_at IS NULL AND c.end_state <> '' THEN COALESCE(c.ended_at, clock_timestamp())
             ELSE a.ended_at END,
  released_at = CASE WHEN c.release THEN COALESCE(a.released_at, clock_timestamp()) ELSE a.released_at END
FROM unnest(%(id)s::uuid[], %(object_uid)s::text[], %(object_created_at)s::timestamptz[],
            %(scheduled_at)s::timestamptz[], %(started_at)s::timestamptz[], %(node_name)s::text[],
            %(image_digest)s::text[], %(end_state)s::text[], %(reason)s::text[], %(params)s::text[],
            %(exit_code)s::int[], %(ended_at)s::timestamptz[], %(release)s::bool[])
  AS c(id, object_uid, object_created_at, scheduled_at, started_at, node_name, image_digest, end_state, reason, params,
       exit_code, ended_at, release)
WHERE a.id = c.id
"""

_PODS = """
INSERT INTO workloads_pod AS p (uid, attempt_id, name, index, phase, reason_code, reason_params, node_name, containers,
                                resource_version, created_at, started_at, ended_at, gone)
SELECT c.uid, c.attempt_id, c.name, c.index, c.phase, c.reason, c.params::jsonb, c.node_name, c.containers::jsonb,
       c.version, c.created_at, c.started_at, c.ended_at, false
FROM unnest(%(uid)s::uuid[], %(attempt_id)s::uuid[], %(name)s::text[], %(index)s::int[], %(phase)s::text[],
            %(reason)s::text[], %(params)s::text[], %(node_name)s::text[], %(containers)s::text[],
            %(version)s::text[], %(created_at)s::timestamptz[], %(started_at)s::timestamptz[],
            %(ended_at)s::timestamptz[])
  AS c(uid, attempt_id, name, index, phase, reason, params, node_name, containers, version, created_at, started_at,
       ended_at)
ORDER BY c.uid
ON CONFLICT (uid) DO UPDATE SET
  phase = EXCLUDED.phase, reason_code = EXCLUDED.reason_code, reason_params = EXCLUDED.reason_params,
  node_name = EXCLUDED.node_name, containers = EXCLUDED.containers, resource_version = EXCLUDED.resource_version,
  started_at = EXCLUDED.started_at, ended_at = EXCLUDED.ended_at, gone = false
WHERE p.attempt_id = EXCLUDED.attempt_id
  AND (p.gone OR p.resource_version IS DISTINCT FROM EXCLUDED.resource_version)
"""

_UNWATCHED = """
SELECT a.workload_id, a.n FROM workloads_attempt a JOIN workloads_workload w ON w.id = a.workload_id
WHERE a.released_at IS NULL AND (a.object_uid <> '' OR a.ended_at IS NOT NULL OR w.desired <> 'run')
"""

_NOTHING_SEEN = AttemptObservation(state=State.STARTING)


def rows_read(keys: Iterable[Key]) -> dict[Key, Row]:
    """Return the rows of these attempts; a key without one is an orphan's. One statement."""
    wanted = list(keys)
    given: dict[str, Any] = {
        "prefix": NAMESPACE_PREFIX,
        "drained": Reason.DRAINED.value,
        "ids": [key.workload_id for key in wanted],
        "ns": [key.n for key in wanted],
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, given)
        names = [column.name for column in cursor.description]
        found = [Row(**_decoded(dict(zip(names, values, strict=True)))) for values in cursor.fetchall()]
    return {Key(row.workload_id, row.n): row for row in found}


def unwatched_keys() -> list[Key]:
    """Return the attempts for which it matters that their object is gone: made, ended or to be stopped, and unreleased.

    One whose object is still to be made is none of them; there may be thousands in a worker's queue. One statement.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UNWATCHED)
        return [Key(*row) for row in cursor.fetchall()]


def attempts_write(patches: Sequence[Patch]) -> None:
    """Write new facts of attempts. One statement."""
    if not patches:
        return
    columns = _transposed([_patch_columns(patch) for patch in sorted(patches, key=lambda patch: patch.attempt_id)])
    with connection.cursor() as cursor:
        cursor.execute(_PATCH, columns)


def pods_write(seen: Mapping[UUID, Sequence[PodObservation]]) -> None:
    """Write the pods of attempts, given all that exist now; others of theirs are marked gone. Two statements."""
    columns = [_pod_columns(attempt_id, pod) for attempt_id, pods in seen.items() for pod in pods]
    with connection.cursor() as cursor:
        if columns:
            cursor.execute(_PODS, _transposed(columns))
        cursor.execute(
            "UPDATE workloads_pod SET gone = true "
            "WHERE attempt_id = ANY(%s) AND NOT gone AND NOT uid = ANY(%s::uuid[])",
            [list(seen), [pod.uid for pods in seen.values() for pod in pods]],
        )


def _patch_columns(patch: Patch) -> dict[str, Any]:
    seen = patch.seen or _NOTHING_SEEN
    return {
        "id": patch.attempt_id,
        "object_uid": patch.object_uid[:64],
        "object_created_at": patch.object_created_at,
        "scheduled_at": seen.scheduled_at,
        "started_at": seen.started_at,
        "node_name": seen.node_name,
        "image_digest": seen.image_digest,
        "end_state": str(patch.end_state),
        "reason": patch.reason.value,
        "params": json.dumps(storable(patch.params)),
        "exit_code": seen.exit_code,
        "ended_at": patch.ended_at,
        "release": patch.release,
    }


def _pod_columns(attempt_id: UUID, pod: PodObservation) -> dict[str, Any]:
    return {
        "uid": pod.uid,
        "attempt_id": attempt_id,
        "name": pod.name,
        "index": pod.index,
        "phase": pod.phase,
        "reason": pod.reason.value,
        "params": json.dumps(storable(pod.params)),
        "node_name": pod.node_name,
        "containers": json.dumps(storable(pod.containers)),
        "version": pod.resource_version,
        "created_at": pod.created_at,
        "started_at": pod.started_at,
        "ended_at": pod.ended_at,
    }


def _transposed(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    """Read the JSON that a plain cursor hands over as text."""
    texts = {name: row[name] for name in ("reason_params", "extra") if isinstance(row[name], str)}
    return row | {name: json.loads(text) for name, text in texts.items()}
