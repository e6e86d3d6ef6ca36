"""What the watches say, in memory: small typed facts by attempt, and which attempts changed since they were last taken.

Filled by the reflectors' threads, read by the controller's one loop. Bounded by the objects that exist, however long
the loop cannot write.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from gpu.reconcile import NodeRow, node_row
from portal.kube.errors import PoisonObject
from portal.kube.types import Job, Node, ObjectMeta, Pod
from workloads.status import PodObservation, pod_observation

LABEL_WORKLOAD = "berth.dev/workload"
LABEL_ATTEMPT = "berth.dev/attempt"
T = TypeVar("T")


class Key(NamedTuple):
    """An attempt as the objects' labels name it."""

    workload_id: UUID
    n: int


def key_of(metadata: ObjectMeta) -> Key | None:
    """Return which attempt an object's labels name; None when they name none."""
    stated = metadata.labels.get(LABEL_ATTEMPT, "")
    if not (stated.isascii() and stated.isdecimal() and len(stated) < 6):
        return None
    try:
        return Key(UUID(metadata.labels.get(LABEL_WORKLOAD, "")), int(stated))
    except ValueError:
        return None


@dataclass
class _Kind(Generic[T]):
    """The objects of one kind: by attempt and uid, and each uid's attempt."""

    synced: bool = False
    by_key: dict[Key, dict[str, T]] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)

    def put(self, key: Key, uid: str, value: T) -> bool:
        """Store; return whether it differs from what was there."""
        held = self.by_key.setdefault(key, {})
        differs = held.get(uid) != value
        held[uid] = value
        self.keys[uid] = key
        return differs

    def drop(self, uid: str) -> Key | None:
        """Forget; return the attempt it was of."""
        key = self.keys.pop(uid, None)
        if key is not None:
            held = self.by_key[key]
            held.pop(uid, None)
            if not held:
                del self.by_key[key]
        return key


class Taken(NamedTuple):
    """What changed since the last time: attempts, and whether nodes did."""

    keys: set[Key]
    nodes: bool


class Index:
    """All objects of this installation, and all nodes."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self._lock = threading.Lock()
        self._jobs: _Kind[Job] = _Kind()
        self._pods: _Kind[PodObservation] = _Kind()
        self._nodes: dict[str, NodeRow] = {}
        self._nodes_synced = False
        self._dirty: set[Key] = set()
        self._nodes_dirty = False
        self._nameless: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether Jobs and pods were listed in full once, so that what is absent is known to be absent."""
        return self._jobs.synced and self._pods.synced

    @property
    def nameless_count(self) -> int:
        """How many objects carry our label but name no attempt."""
        return len(self._nameless)

    def synced(self, kind: type[Job] | type[Pod] | type[Node]) -> None:
        """Note that a kind was listed in full."""
        with self._lock:
            if kind is Node:
                self._nodes_synced = self._nodes_dirty = True
            else:
                found = self._jobs if kind is Job else self._pods
                found.synced = True
        self.changed.set()

    def job(self, job: Job) -> None:
        """Take a new or changed Job."""
        self._put(self._jobs, job.metadata, job)

    def pod(self, pod: Pod) -> None:
        """Take a new or changed pod. Raises PoisonObject for one that has no proper identity."""
        seen = pod_observation(pod)
        if seen is None:
            raise PoisonObject("the pod's uid is none")
        self._put(self._pods, pod.metadata, seen)

    def node(self, node: Node) -> None:
        """Take a new or changed node; heartbeats change nothing that is kept."""
        row = node_row(node)
        with self._lock:
            self._nodes_dirty |= self._nodes.get(row.uid) != row
            self._nodes[row.uid] = row
        self.changed.set()

    def gone(self, kind: type[Job] | type[Pod] | type[Node], uid: str) -> None:
        """Take the deletion of an object."""
        with self._lock:
            self._nameless.discard(uid)
            if kind is Node:
                self._nodes_dirty |= self._nodes.pop(uid, None) is not None
            else:
                key = self._jobs.drop(uid) if kind is Job else self._pods.drop(uid)
                if key is not None:
                    self._dirty.add(key)
        self.changed.set()

    def take(self, most: int) -> Taken:
        """Return what changed, at most so many attempts, and forget that it did."""
        with self._lock:
            self.changed.clear()
            keys = {self._dirty.pop() for _ in range(min(most, len(self._dirty)))}
            nodes, self._nodes_dirty = self._nodes_dirty and self._nodes_synced, False
            if self._dirty:
                self.changed.set()
        return Taken(keys, nodes)

    def put_back(self, keys: Collection[Key] = (), *, nodes: bool = False) -> None:
        """Note that these must be looked at again."""
        with self._lock:
            self._dirty.update(keys)
            self._nodes_dirty |= nodes
        self.changed.set()

    def objects(self, key: Key) -> tuple[list[Job], list[PodObservation]]:
        """Return the Jobs (one, unless somebody copied it) and the pods of an attempt."""
        with self._lock:
            return list(self._jobs.by_key.get(key, {}).values()), list(self._pods.by_key.get(key, {}).values())

    def nodes(self) -> list[NodeRow]:
        """Return all nodes; of two with one name, during a replacement, the one that came last."""
        with self._lock:
            return list({row.name: row for row in self._nodes.values()}.values())

    def without_pods(self) -> list[Key]:
        """Return the attempts that have a Job but no pod."""
        with self._lock:
            return [key for key in self._jobs.by_key if key not in self._pods.by_key]

    def has_job(self, key: Key) -> bool:
        with self._lock:
            return key in self._jobs.by_key

    def _put(self, kind: _Kind[T], metadata: ObjectMeta, value: T) -> None:
        key = key_of(metadata)
        with self._lock:
            if key is None:
                self._nameless.add(metadata.uid)
            elif kind.put(key, metadata.uid, value):
                self._dirty.add(key)
        self.changed.set()
