"""Kubernetes' own events of attempts: gathered from the watch, written in batches, kept when the cluster forgets them.

The API server drops an event after about an hour, and its object's page would be empty when somebody comes to look.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import structlog
from django.db import connection

from portal.kube.types import Event
from tenants.specs import NAMESPACE_PREFIX
from workloads.clusterevents import SeenEvent, seen_event
from workloads.specs import MOST_CLUSTER_EVENTS

MOST_WAITING = 5_000
MOST_ALIKE = 20
log = structlog.get_logger(__name__)

_WRITE = """
INSERT INTO workloads_clusterevent AS e (uid, workload_id, attempt_n, kind, name, warning, reason, message, source,
                                         count, first_seen, last_seen)
SELECT c.uid, a.workload_id, a.n, c.kind, c.name, c.warning, c.reason, c.message, c.source,
       c.count, c.first_seen, c.last_seen
FROM unnest(%(uid)s::uuid[], %(namespace)s::text[], %(kube_name)s::text[], %(n)s::int[], %(kind)s::text[],
            %(name)s::text[], %(warning)s::bool[], %(reason)s::text[], %(message)s::text[], %(source)s::text[],
            %(count)s::int[], %(first_seen)s::timestamptz[], %(last_seen)s::timestamptz[])
  AS c(uid, namespace, kube_name, n, kind, name, warning, reason, message, source, count, first_seen, last_seen)
JOIN tenants_tenant t ON %(prefix)s || t.slug = c.namespace
JOIN workloads_workload w ON w.tenant_id = t.id AND w.kube_name = c.kube_name
JOIN workloads_attempt a ON a.workload_id = w.id AND a.n = c.n
ORDER BY c.uid
ON CONFLICT (uid) DO UPDATE SET
  count = GREATEST(e.count, EXCLUDED.count), last_seen = GREATEST(e.last_seen, EXCLUDED.last_seen),
  message = EXCLUDED.message
WHERE (e.count, e.last_seen, e.message) IS DISTINCT FROM (EXCLUDED.count, EXCLUDED.last_seen, EXCLUDED.message)
RETURNING e.workload_id
"""

# Of what repeats all day only the newest are kept, so that they don't drive out the one that tells why.
_TRIM = """
DELETE FROM workloads_clusterevent AS e USING (
  SELECT id, row_number() OVER (PARTITION BY workload_id ORDER BY last_seen DESC, id DESC) AS place,
         row_number() OVER (PARTITION BY workload_id, name, reason ORDER BY last_seen DESC, id DESC) AS alike
  FROM workloads_clusterevent WHERE workload_id = ANY(%(workloads)s)) AS ranked
WHERE ranked.id = e.id AND (ranked.place > %(most)s OR ranked.alike > %(most_alike)s)
"""


class EventBox:
    """Events that wait to be written, newest form of each; filled by the watch's thread, emptied by the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[UUID, SeenEvent] = {}
        self._dropped = 0

    def put(self, event: Event) -> None:
        """Take an event; one that is about nothing of ours, or comes while too many wait, is left out."""
        if not (event.metadata.namespace or "").startswith(NAMESPACE_PREFIX):
            return
        seen = seen_event(event)
        if seen is not None:
            self.put_back([seen], newer=True)

    def put_back(self, events: Iterable[SeenEvent], *, newer: bool = False) -> None:
        """Let events wait; what came meanwhile counts more than what is put back."""
        with self._lock:
            for event in events:
                if event.uid in self._waiting:
                    self._waiting[event.uid] = event if newer else self._waiting[event.uid]
                elif len(self._waiting) < MOST_WAITING:
                    self._waiting[event.uid] = event
                else:
                    self._dropped += 1

    def take(self, most: int) -> list[SeenEvent]:
        """Return at most so many events, the ones that wait longest, and forget them."""
        with self._lock:
            chosen = [self._waiting.pop(uid) for uid in list(self._waiting)[:most]]
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("cluster_events_left_out", count=dropped)
        return chosen


def events_write(events: Sequence[SeenEvent]) -> None:
    """Write events and drop what is beyond the bound of each workload. Two statements at most; none without events."""
    if not events:
        return
    columns: dict[str, Any] = {name: [] for name in asdict(events[0])}
    for event in events:
        for name, value in asdict(event).items():
            columns[name].append(value)
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, {**columns, "prefix": NAMESPACE_PREFIX})
        changed = list({row[0] for row in cursor.fetchall()})
        if changed:
            given: dict[str, Any] = {"workloads": changed, "most": MOST_CLUSTER_EVENTS, "most_alike": MOST_ALIKE}
            cursor.execute(_TRIM, given)
