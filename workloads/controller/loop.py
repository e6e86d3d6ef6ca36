"""The controller's one loop: takes what changed in batches, decides, writes; sweeps now and then."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from gpu import reconcile as nodes
from portal.core.hints import hint, wake
from portal.core.leases import Held, fence
from portal.kube.errors import KubeError, NotFound
from portal.kube.gateway import Kube
from portal.kube.types import JOBS, Job
from workloads import tasks
from workloads.controller import refused, write
from workloads.controller.decide import NOTHING, Decision, Row, decide, deleted
from workloads.controller.events import EventBox, events_write
from workloads.controller.index import Index, Key
from workloads.status import PodObservation
from workloads.sweeps import Sweeper
from workloads.transitions import apply_changes

BATCH_EVERY_S = 0.05
BATCH_MOST = 1_000
IDLE_WAIT_S = 0.25
DATABASE_PAUSE_S = 1.0
_QUEUE_WAKE = "queue"
_LOGS_WAKE = "logs"
log = structlog.get_logger(__name__)

Pods = dict[UUID, PodObservation]


@dataclass
class _Batch:
    """What one transaction writes."""

    decisions: list[tuple[Row, Decision]] = field(default_factory=list)
    pods: dict[UUID, Pods] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.pods) or any(decision != NOTHING for _row, decision in self.decisions)


class Controller:
    """One term of leadership; nothing of it outlives the term."""

    def __init__(
        self,
        *,
        held: Held,
        kube: Kube,
        index: Index,
        sweeper: Sweeper | None = None,
        events: EventBox | None = None,
    ) -> None:
        self._held = held
        self._kube = kube
        self._index = index
        self._events = events or EventBox()
        self._sweeper = sweeper or Sweeper(held)
        self._pods_written: dict[UUID, Pods] = {}
        self._orphans: set[Key] = set()
        self._current_at_s = 0.0

    @property
    def orphan_count(self) -> int:
        """How many attempts objects speak of that no row knows. They are listed in the log, never deleted."""
        return len(self._orphans) + self._index.nameless_count

    def is_current(self, *, within_s: float = 5.0) -> bool:
        """Tell whether everything that the watches said was written a moment ago."""
        return self._index.complete and time.monotonic() - self._current_at_s <= within_s

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. Raises LeaseLost; while the database is away it waits and forgets nothing."""
        try:
            while not stop.is_set():
                try:
                    self.turn()
                    pause_s = BATCH_EVERY_S
                except DatabaseError as error:
                    log.warning("controller_waits_for_database", error=str(error).strip())
                    connection.close()
                    pause_s = DATABASE_PAUSE_S
                stop.wait(pause_s)
                self._index.changed.wait(IDLE_WAIT_S)
        finally:
            connection.close()

    def turn(self) -> None:
        """Write one batch of what changed, and sweep when it is time. Raises LeaseLost, DatabaseError."""
        if self._sweeper.due():
            self._sweeper.sweep()
            self._look_again()
        self._write_events()
        taken = self._index.take(BATCH_MOST)
        try:
            if taken.nodes:
                self._write_nodes()
            if not self._index.complete:
                self._index.put_back(taken.keys)
                return
            if taken.keys:
                self._write_attempts(taken.keys)
        except DatabaseError:
            self._index.put_back(taken.keys, nodes=taken.nodes)
            raise
        if len(taken.keys) < BATCH_MOST:
            self._current_at_s = time.monotonic()

    def _look_again(self) -> None:
        """Find what no event will tell: objects that vanished while nobody watched, Jobs whose pods are refused."""
        if not self._index.complete:
            return
        held = write.unwatched_keys()
        self._index.put_back({key for key in held if not self._index.has_job(key)})
        waiting = self._index.without_pods()
        rows = write.rows_read(waiting[:BATCH_MOST]) if waiting else {}
        jobs = {key: self._index.objects(key)[0] for key in rows}
        decisions = refused.decide_all(self._kube, rows, jobs)
        if decisions:
            self._write(_Batch(decisions))

    def _write_events(self) -> None:
        found = self._events.take(BATCH_MOST)
        if not found:
            return
        try:
            with transaction.atomic():
                fence(self._held)
                events_write(found)
        except DatabaseError:
            self._events.put_back(found)
            raise

    def _write_nodes(self) -> None:
        found = self._index.nodes()
        with transaction.atomic():
            fence(self._held)
            nodes.nodes_write(found)
            nodes.nodes_keep([row.name for row in found])
            wake(_QUEUE_WAKE)

    def _write_attempts(self, keys: set[Key]) -> None:
        rows = write.rows_read(keys)
        self._list_orphans(keys, rows)
        batch = _Batch()
        for key, row in rows.items():
            jobs, pods = self._index.objects(key)
            decision = decide(row, jobs, pods)
            if decision.lost:
                decision = self._confirmed(row, pods)
            batch.decisions.append((row, decision))
            now = {pod.uid: pod for pod in pods}
            if self._pods_written.get(row.attempt_id) != now:
                batch.pods[row.attempt_id] = now
        if batch:
            self._write(batch)

    def _confirmed(self, row: Row, pods: list[PodObservation]) -> Decision:
        """Ask the API server about an object that the watch does not know: the watch may only be late."""
        try:
            found = self._kube.get(JOBS, row.object_name, namespace=row.namespace, as_type=Job)
        except NotFound:
            return deleted(row, pods, remade=False)
        except KubeError as error:
            log.warning("not_confirmed", job=row.object_name, error=error.message)
            return NOTHING  # the next sweep asks again
        return NOTHING if found.metadata.uid == row.object_uid else deleted(row, pods, remade=True)

    def _write(self, batch: _Batch) -> None:
        done = [decision for _row, decision in batch.decisions]
        patches = [decision.patch for decision in done if decision.patch is not None]
        with transaction.atomic():
            fence(self._held)
            apply_changes([decision.change for decision in done if decision.change is not None])
            write.attempts_write(patches)
            if batch.pods:
                write.pods_write({attempt_id: list(pods.values()) for attempt_id, pods in batch.pods.items()})
                wake(_LOGS_WAKE)
            for row, decision in batch.decisions:
                if decision.hint:
                    hint(tasks.reconcile_workload, str(row.workload_id))
            if any(patch.release for patch in patches):
                wake(_QUEUE_WAKE)
        self._remember(batch.pods)

    def _remember(self, written: Mapping[UUID, Pods]) -> None:
        for attempt_id, pods in written.items():
            if pods:
                self._pods_written[attempt_id] = pods
            else:
                self._pods_written.pop(attempt_id, None)

    def _list_orphans(self, keys: Iterable[Key], rows: Mapping[Key, Row]) -> None:
        """Say which objects carry our label without a row, once each; forget those that went."""
        for key in keys:
            jobs, pods = self._index.objects(key)
            if key in rows or not (jobs or pods):
                self._orphans.discard(key)
            elif key not in self._orphans:
                self._orphans.add(key)
                names = [f"{job.metadata.namespace}/{job.metadata.name}" for job in jobs] + [pod.name for pod in pods]
                log.warning("orphan", workload=str(key.workload_id), attempt=key.n, objects=names[:10])
