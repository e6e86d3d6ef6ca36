"""The memory of the in-memory cluster: objects, their history, and watches over it."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from portal.kube.decode import decode_event
from portal.kube.errors import KubeError, Status, error_from_status
from portal.kube.gateway import Object, WatchEvent
from portal.kube.selectors import Predicate
from portal.kube.types import Resource

T = TypeVar("T")
Key = tuple[str | None, str]


class Change(NamedTuple):
    """One step in the history of one kind. A deletion has no `after`; `version` is the object's new one in any case."""

    version: int
    resource: Resource
    before: Object | None
    after: Object | None


def copied(body: Object) -> Object:
    """Return a deep copy, by way of JSON: what is no JSON cannot reach a cluster either."""
    result: Object = msgspec.json.decode(msgspec.json.encode(body))
    return result


def refusal(code: int, reason: str, message: str) -> KubeError:
    """Return the error that the API server's answer with this code and reason would become."""
    return error_from_status(Status(kind="Status", code=code, reason=reason, message=message))


class Store:
    """Objects by kind and name, one counter of versions, and every change in order."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[Resource, dict[Key, Object]] = {}
        self.applied: dict[tuple[Resource, Key], Object] = {}
        self.history: list[Change] = []
        self.version = 1
        self.oldest_version = 0
        self.streams: list[FakeStream[Any]] = []

    def find(self, resource: Resource, key: Key) -> Object | None:
        """Return the stored object itself."""
        return self.objects.get(resource, {}).get(key)

    def put(self, resource: Resource, key: Key, body: Object) -> Object:
        """Store a new state of an object under a new version and tell the watches."""
        with self.changed:
            before = self.find(resource, key)
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            self.objects.setdefault(resource, {})[key] = body
            self._record(Change(self.version, resource, before, body))
            return body

    def remove(self, resource: Resource, key: Key) -> None:
        """Remove an object and tell the watches."""
        with self.changed:
            before = copied(self.objects[resource].pop(key))
            self.applied.pop((resource, key), None)
            self.version += 1
            before["metadata"]["resourceVersion"] = str(self.version)
            self._record(Change(self.version, resource, before, None))

    def compact(self) -> None:
        """Forget the history: a watch from an older version is refused with 410."""
        with self.changed:
            self.oldest_version = self.version

    def _record(self, change: Change) -> None:
        self.history.append(change)
        self.changed.notify_all()


class FakeStream(Generic[T]):
    """One watch over the store's history; tests can break it, silence it, or slip raw events in."""

    def __init__(
        self,
        store: Store,
        resource: Resource,
        *,
        selects: Callable[[], Predicate],
        since: int,
        timeout_s: float,
        as_type: type[T],
    ) -> None:
        self._store, self.resource, self._as_type = store, resource, as_type
        self._selects = selects()
        self._since = since
        self._position = 0
        self._deadline = time.monotonic() + timeout_s
        self._ended = False
        self.silent = False
        self.injected: deque[Object | KubeError] = deque()

    def __enter__(self) -> "FakeStream[T]":
        return self

    def __exit__(self, *exc: object) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[WatchEvent[T]]:
        return self

    def __next__(self) -> WatchEvent[T]:
        with self._store.changed:
            while True:
                remaining_s = self._deadline - time.monotonic()
                if self._ended or remaining_s <= 0:
                    self.cancel()
                    raise StopIteration
                event = self._take_injected() if self.injected else self._next_raw()
                if event is not None:
                    return decode_event(msgspec.json.encode(event), self._as_type)
                self._store.changed.wait(remaining_s)

    def cancel(self) -> None:
        """End the stream, from any thread."""
        with self._store.changed:
            self._ended = True
            if self in self._store.streams:
                self._store.streams.remove(self)
            self._store.changed.notify_all()

    def _next_raw(self) -> Object | None:
        while not self.silent and self._position < len(self._store.history):
            change = self._store.history[self._position]
            self._position += 1
            if change.version > self._since and change.resource == self.resource:
                event = self._translate(change)
                if event is not None:
                    return event
        return None

    def _take_injected(self) -> Object:
        event = self.injected.popleft()
        if isinstance(event, KubeError):
            self.cancel()
            raise event
        return event

    def _translate(self, change: Change) -> Object | None:
        """Tell a change as this watch's selectors see it: an object that stops matching is deleted for it."""
        was = change.before is not None and self._selects(change.before)
        now = change.after is not None and self._selects(change.after)
        if not was and not now:
            return None
        if now:
            return {"type": "MODIFIED" if was else "ADDED", "object": change.after}
        gone = copied(change.before or {})
        gone["metadata"]["resourceVersion"] = str(change.version)
        return {"type": "DELETED", "object": gone}
