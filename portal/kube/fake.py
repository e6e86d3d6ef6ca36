"""A cluster in memory behind the Protocol `Kube`, for tests of everything that acts on a cluster.

It is honest about what callers rely on: versions, uids, 404 and 409, preconditions, selectors, watches with 410,
graceful deletion of pods on a node. It runs nothing: no controller makes pods of a Job, no quota is enforced.
Simplified: a namespace goes at once with all that is in it, `Foreground` deletes like `Background`,
apply knows one field manager (see `fake_merge`).
"""

import copy
import re
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from portal.kube.decode import decode_object, decode_page
from portal.kube.errors import AlreadyExists, ClusterUnavailable, KubeError
from portal.kube.fake_logs import FakeLogSource
from portal.kube.fake_merge import merge_applied
from portal.kube.fake_store import FakeStream, Key, Store, copied, refusal
from portal.kube.gateway import Listing, Object, Propagation
from portal.kube.selectors import field_predicate, label_predicate
from portal.kube.types import KNOWN_RESOURCES, NAMESPACES, PODS, Resource

__all__ = ["Call", "FakeKube", "FakeLogSource"]

R = TypeVar("R")
_NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")
_RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True)
class Call:
    """One call that reached the in-memory cluster; `user` is set when it was impersonated."""

    op: str
    resource: Resource | None = None
    namespace: str | None = None
    name: str = ""
    user: str | None = None


class _Script:
    """What tests want to happen at the next calls, shared by all views of one cluster."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.errors: dict[str, deque[tuple[KubeError, bool]]] = defaultdict(deque)
        self.callbacks: dict[str, deque[Callable[[Call], object]]] = defaultdict(deque)
        self.available = True


class FakeKube:
    """The cluster, and the handles by which a test moves it."""

    def __init__(
        self, *, namespaces: Iterable[str] = (), now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.store = Store()
        self._script = _Script()
        self.calls = self._script.calls  # every call so far, refused ones too
        self.user: str | None = None
        self._now = now
        for name in ("default", "kube-system", *namespaces):
            self.seed(NAMESPACES, {"metadata": {"name": name}})

    # The Protocol.

    def create(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create an object."""
        call = self._enter("create", resource, namespace, body.get("metadata", {}).get("name", ""))
        with self.store.changed:
            self._check_new(resource, body, namespace)
            result = copied(self._insert(resource, body, namespace))
        return self._leave(call, result)

    def apply(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create or merge an object as the field manager berth."""
        call = self._enter("apply", resource, namespace, body.get("metadata", {}).get("name", ""))
        key = self._key(resource, namespace, call.name)
        with self.store.changed:
            live = self.store.find(resource, key)
            if live is None:
                self._check_new(resource, body, namespace)
                result = self._insert(resource, body, namespace)
            else:
                result = self._merge(resource, key, live, body)
            self.store.applied[resource, key] = copied(body)
            result = copied(result)
        return self._leave(call, result)

    def get(self, resource: Resource, name: str, *, namespace: str | None = None, as_type: Any = dict) -> Any:
        """Return one object."""
        call = self._enter("get", resource, namespace, name)
        with self.store.changed:
            body = msgspec.json.encode(self._existing(resource, self._key(resource, namespace, name)))
        return self._leave(call, decode_object(body, as_type))

    def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        uid: str | None = None,
        grace_s: int | None = None,
        propagation: Propagation = "Background",
    ) -> bool:
        """Delete an object; a pod on a node stays, marked, until `finish_deletion`, unless `grace_s` is 0."""
        call = self._enter("delete", resource, namespace, name)
        key = self._key(resource, namespace, name)
        with self.store.changed:
            body = self.store.find(resource, key)
            if body is None or (uid is not None and body["metadata"]["uid"] != uid):
                return self._leave(call, False)
            self._delete(resource, key, grace_s=grace_s, cascade=propagation != "Orphan")
        return self._leave(call, True)

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
        as_type: Any = dict,
    ) -> Listing[Any]:
        """Return all objects that match."""
        call = self._enter("list", resource, namespace)
        matches = (label_predicate(label_selector), field_predicate(field_selector))
        with self.store.changed:
            found = [
                body
                for (space, _), body in sorted(self.store.objects.get(resource, {}).items(), key=_by_name)
                if namespace in (None, space) and all(match(body) for match in matches)
            ]
            body = {"items": found, "metadata": {"resourceVersion": str(self.store.version)}}
            page = decode_page(msgspec.json.encode(body), as_type)
        return self._leave(call, Listing(page.items, page.resource_version, tuple(page.poisoned)))

    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        timeout_s: float = 300,
        as_type: Any = dict,
    ) -> FakeStream[Any]:
        """Return a stream of what changes after `resource_version`."""
        call = self._enter("watch", resource, namespace)
        labels = label_predicate(label_selector)
        with self.store.changed:
            if int(resource_version) < self.store.oldest_version:
                raise refusal(410, "Expired", "too old resource version")
            stream = FakeStream(
                self.store,
                resource,
                selects=lambda: lambda b: labels(b) and namespace in (None, b["metadata"].get("namespace")),
                since=int(resource_version),
                timeout_s=timeout_s,
                as_type=as_type,
            )
            self.store.streams.append(stream)
        return self._leave(call, stream)

    def check_ready(self, *, timeout_s: float = 2.0) -> None:
        """Raise when the cluster is switched off, or a failure is due."""
        self._leave(self._enter("check_ready"), None)

    def impersonate(self, user: str) -> "FakeKube":
        """Return a view of the same cluster whose calls carry `user`."""
        view = copy.copy(self)
        view.user = user
        return view

    # The test's handles.

    def fail_next(self, op: str, error: KubeError, *, times: int = 1, after: bool = False) -> None:
        """Make the next calls of `op` raise; with `after`, once the work is done (the answer is lost)."""
        self._script.errors[op].extend([(error, after)] * times)

    def before(self, op: str, callback: Callable[[Call], object]) -> None:
        """Run `callback` once, just before the next call of `op` acts; it may use the cluster itself."""
        self._script.callbacks[op].append(callback)

    def set_available(self, available: bool) -> None:
        """Switch the API server off or on; off, every call and every open watch raises ClusterUnavailable."""
        self._script.available = available
        if not available:
            self.break_watches(ClusterUnavailable("connection reset"))

    def break_watches(self, error: KubeError | None = None) -> None:
        """End all open watches, with an error or as if the server closed them."""
        with self.store.changed:
            for stream in list(self.store.streams):
                if error is None:
                    stream.cancel()
                else:
                    stream.injected.append(error)
            self.store.changed.notify_all()

    def inject(self, resource: Resource, kind: str, body: Any) -> None:
        """Slip a raw event into the open watches of a kind: ERROR, BOOKMARK, or an object that is none."""
        with self.store.changed:
            for stream in self.store.streams:
                if stream.resource == resource:
                    stream.injected.append({"type": kind, "object": body})
            self.store.changed.notify_all()

    def silence_watches(self) -> None:
        """Let all open watches deliver nothing any more, as a half-open connection does."""
        with self.store.changed:
            for stream in self.store.streams:
                stream.silent = True

    def compact(self) -> None:
        """Forget history: older versions answer 410."""
        self.store.compact()

    def seed(self, resource: Resource, body: Object) -> Object:
        """Store an object as it is, unchecked, filling in what is missing of its identity; replaces one of the name."""
        with self.store.changed:
            meta = body.get("metadata", {})
            return copied(self._insert(resource, body, meta.get("namespace") if resource.namespaced else None))

    def set_status(self, resource: Resource, name: str, status: Object, *, namespace: str | None = None) -> Object:
        """Replace an object's status, as a controller or a kubelet would."""
        return self.change(resource, name, {"status": status}, namespace=namespace)

    def change(self, resource: Resource, name: str, fields: Object, *, namespace: str | None = None) -> Object:
        """Replace top-level fields of an object, as somebody else would."""
        key = self._key(resource, namespace, name)
        with self.store.changed:
            body = {**copied(self._existing(resource, key)), **copied(fields)}
            return copied(self.store.put(resource, key, body))

    def finish_deletion(self, resource: Resource, name: str, *, namespace: str | None = None) -> None:
        """Remove an object that waits, marked, for its end."""
        self.store.remove(resource, self._key(resource, namespace, name))

    # Inside.

    def _enter(self, op: str, resource: Resource | None = None, namespace: str | None = None, name: str = "") -> Call:
        call = Call(op, resource, namespace, name, self.user)
        self._script.calls.append(call)
        if self._script.callbacks[op]:
            self._script.callbacks[op].popleft()(call)
        if not self._script.available:
            raise ClusterUnavailable("connection refused")
        errors = self._script.errors[op]
        if errors and not errors[0][1]:
            raise errors.popleft()[0]
        return call

    def _leave(self, call: Call, result: R) -> R:
        errors = self._script.errors[call.op]
        if errors and errors[0][1]:
            raise errors.popleft()[0]
        return result

    def _key(self, resource: Resource, namespace: str | None, name: str) -> Key:
        return (namespace if resource.namespaced else None, name)

    def _existing(self, resource: Resource, key: Key) -> Object:
        body = self.store.find(resource, key)
        if body is None:
            raise refusal(404, "NotFound", f'{resource.plural} "{key[1]}" not found')
        return body

    def _check_new(self, resource: Resource, body: Object, namespace: str | None) -> None:
        meta = body.get("metadata", {})
        name = meta.get("name", "")
        if body.get("kind") != resource.kind or body.get("apiVersion") != resource.api_version:
            raise refusal(400, "BadRequest", f"the object is no {resource.api_version} {resource.kind}")
        if resource.group != _RBAC_GROUP and not _NAME.match(name):
            raise refusal(422, "Invalid", f'{resource.kind} "{name}" is invalid: metadata.name: Invalid value')
        if resource.namespaced:
            if meta.get("namespace", namespace) != namespace:
                raise refusal(400, "BadRequest", "the namespace of the object does not match the request")
            self._existing(NAMESPACES, (None, namespace or ""))
        if self.store.find(resource, self._key(resource, namespace, name)) is not None:
            raise AlreadyExists(f'{resource.plural} "{name}" already exists')

    def _insert(self, resource: Resource, body: Object, namespace: str | None) -> Object:
        new = {"apiVersion": resource.api_version, "kind": resource.kind, **copied(body)}
        meta = new.setdefault("metadata", {})
        meta.setdefault("uid", str(uuid.uuid4()))
        meta.setdefault("creationTimestamp", self._stamp())
        if resource.namespaced:
            meta["namespace"] = namespace
        if resource == PODS:
            new.setdefault("status", {}).setdefault("phase", "Pending")
        if resource == NAMESPACES:
            new.setdefault("status", {}).setdefault("phase", "Active")
        return self.store.put(resource, self._key(resource, namespace, meta["name"]), new)

    def _merge(self, resource: Resource, key: Key, live: Object, body: Object) -> Object:
        last = self.store.applied.get((resource, key), {})
        merged = merge_applied(live=live, last_applied=last, applied=copied(body))
        return live if merged == live else self.store.put(resource, key, copied(merged))

    def _delete(self, resource: Resource, key: Key, *, grace_s: int | None, cascade: bool) -> None:
        body = copied(self._existing(resource, key))
        meta = body["metadata"]
        waits_for_kubelet = resource == PODS and body.get("spec", {}).get("nodeName") and grace_s != 0
        if meta.get("finalizers") or waits_for_kubelet:
            if "deletionTimestamp" not in meta:
                meta["deletionTimestamp"] = self._stamp()
                self.store.put(resource, key, body)
            return
        self.store.remove(resource, key)
        if resource == NAMESPACES:
            self._remove_contents(key[1])
        elif cascade:
            self._remove_dependents(meta["uid"])

    def _remove_contents(self, namespace: str) -> None:
        for resource in KNOWN_RESOURCES:
            for key in [key for key in self.store.objects.get(resource, {}) if key[0] == namespace]:
                self.store.remove(resource, key)

    def _remove_dependents(self, owner_uid: str) -> None:
        for resource in KNOWN_RESOURCES:
            for key, body in list(self.store.objects.get(resource, {}).items()):
                owners = body["metadata"].get("ownerReferences") or []
                if any(owner.get("uid") == owner_uid for owner in owners):
                    self._delete(resource, key, grace_s=None, cascade=True)

    def _stamp(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _by_name(entry: tuple[Key, Object]) -> tuple[str, str]:
    (namespace, name), _ = entry
    return (namespace or "", name)
