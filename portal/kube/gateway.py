"""What the rest of Berth knows of a cluster: Protocols and their value types. Free to import, talks to nothing."""

from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar, overload

import msgspec

from portal.kube.types import Resource

Object: TypeAlias = dict[str, Any]
Identity: TypeAlias = Literal["writer", "watcher", "logs"]
EventType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "POISON"]
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]

T = TypeVar("T")
FIELD_MANAGER = "berth"


class Poison(msgspec.Struct, frozen=True):
    """An object that could not be decoded, as far as it could be identified."""

    name: str
    namespace: str | None
    uid: str
    resource_version: str
    error: str


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """All objects of one consistent list; watch from `resource_version`."""

    items: list[T]
    resource_version: str
    poisoned: tuple[Poison, ...] = ()


class WatchEvent(msgspec.Struct, Generic[T], frozen=True):
    """One step of a watch.

    A BOOKMARK has no object. A POISON has no object but `poison`, and `original` says what the event was.
    """

    type: EventType
    object: T | None
    resource_version: str
    poison: Poison | None = None
    original: str = ""


class WatchStream(Protocol[T]):
    """A running watch, to be used in `with`. Ends when the server ends it; raises KubeError (Gone: list again)."""

    def __enter__(self) -> "WatchStream[T]": ...
    def __exit__(self, *exc: object) -> None: ...
    def __iter__(self) -> Iterator[WatchEvent[T]]: ...
    def __next__(self) -> WatchEvent[T]: ...
    def cancel(self) -> None:
        """End the stream from any thread: a reader that waits stops iterating."""


class Kube(Protocol):
    """A cluster, seen by one identity. Every method may raise KubeError; safe to use from several threads.

    Where `as_type` is given, objects are decoded into that struct of `portal.kube.types`, else they are dicts.
    """

    def create(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create an object. Raises AlreadyExists when the name is taken."""

    def apply(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create or change an object to hold what `body` says (server-side apply, field manager berth, by force)."""

    @overload
    def get(self, resource: Resource, name: str, *, namespace: str | None = None) -> Object: ...
    @overload
    def get(self, resource: Resource, name: str, *, namespace: str | None = None, as_type: type[T]) -> T: ...

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
        """Delete an object. Returns False when it is gone already, also when the name now belongs to another uid."""

    @overload
    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
    ) -> Listing[Object]: ...
    @overload
    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        page_size: int = 500,
        as_type: type[T],
    ) -> Listing[T]: ...

    @overload
    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        timeout_s: float = 300,
    ) -> WatchStream[Object]: ...
    @overload
    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        timeout_s: float = 300,
        as_type: type[T],
    ) -> WatchStream[T]: ...

    def check_ready(self, *, timeout_s: float = 2.0) -> None:
        """Ask the API server whether it is ready. Raises ClusterUnavailable when it is not, or does not answer."""

    def impersonate(self, user: str) -> "Kube":
        """Return the same cluster seen as `user`; needs the right to impersonate it."""


class LogSource(Protocol):
    """Where containers' output is read from."""

    def follow(
        self,
        *,
        namespace: str,
        pod: str,
        container: str,
        since: datetime | None = None,
        previous: bool = False,
        follow: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield timestamped lines without their newline, as `portal.kube.lines.parse_line` takes them.

        `since` has a resolution of one second, so lines may come again. A line over 64 KiB comes in pieces.
        Whoever leaves early calls `aclose()` on it, which drops the connection.
        Ends when the container's output ends (or, without `follow`, at its present end), and at once while
        the pod is on no node. Raises KubeError:
        BadRequest while the container has not started, NotFound when the pod is gone, ClusterUnavailable when cut off.
        """

    async def aclose(self) -> None:
        """Drop the connections."""
