"""`Kube` over HTTP: one urllib3 pool a set of credentials, our own timeouts, bounded answers, no model objects."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import urllib3

from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.decode import decode_event, decode_object, decode_page
from portal.kube.errors import (
    ClusterUnavailable,
    Conflict,
    KubeError,
    NotFound,
    ResponseTooLarge,
    ServerError,
    Unauthorized,
    error_from_response,
)
from portal.kube.gateway import FIELD_MANAGER, Listing, Object, Poison, Propagation, WatchEvent
from portal.kube.types import Resource

T = TypeVar("T")

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 60.0
SILENCE_TIMEOUT_S = 75.0  # of a watch; bookmarks come each 60 s
RESPONSE_MAX_BYTES = 256 * 1024 * 1024
ERROR_MAX_BYTES = 256 * 1024
EVENT_MAX_BYTES = 8 * 1024 * 1024
POOL_CONNECTIONS = 32
_CHUNK_BYTES = 64 * 1024
_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"  # JSON is YAML; older API servers know no other name for it


class _Pools:
    """The connection pool of the present credentials; changed credentials get a new one."""

    def __init__(self, file: CredentialsFile) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._held: tuple[Credentials, urllib3.PoolManager] | None = None

    def for_credentials(self, credentials: Credentials) -> urllib3.PoolManager:
        with self._lock:
            if self._held is None or self._held[0] is not credentials:
                self._held = (credentials, _pool(credentials))
            return self._held[1]


def _pool(credentials: Credentials) -> urllib3.PoolManager:
    options: dict[str, Any] = {"num_pools": 2, "maxsize": POOL_CONNECTIONS, "retries": False}
    if credentials.ssl_context is not None:
        options["ssl_context"] = credentials.ssl_context
    if credentials.tls_server_name:
        options["server_hostname"] = options["assert_hostname"] = credentials.tls_server_name
    return urllib3.PoolManager(**options)


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: dict[str, str]
    body: Object | None = None
    content_type: str = _JSON
    timeout_s: float = READ_TIMEOUT_S

    @property
    def target(self) -> str:
        wanted = {key: value for key, value in self.query.items() if value}
        return f"{self.path}?{urlencode(wanted)}" if wanted else self.path


class RestKube:
    """A cluster, seen by the identity of one kubeconfig."""

    def __init__(self, file: CredentialsFile, *, user: str | None = None, pools: _Pools | None = None) -> None:
        self._pools = pools or _Pools(file)
        self._user = user

    def create(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create an object."""
        path = resource.path(namespace=namespace)
        return decode_object(self.request("POST", path, query={"fieldManager": FIELD_MANAGER}, body=body), dict)

    def apply(self, resource: Resource, body: Object, *, namespace: str | None = None) -> Object:
        """Create or change an object by server-side apply."""
        path = resource.path(namespace=namespace, name=body["metadata"]["name"])
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return decode_object(self.request("PATCH", path, query=query, body=body, content_type=_APPLY), dict)

    def get(self, resource: Resource, name: str, *, namespace: str | None = None, as_type: Any = dict) -> Any:
        """Return one object."""
        return decode_object(self.request("GET", resource.path(namespace=namespace, name=name)), as_type)

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
        """Delete an object; False when it is gone already."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self.request("DELETE", resource.path(namespace=namespace, name=name), body=options)
        except NotFound:
            return False
        except Conflict:
            if uid is None:
                raise
            return False
        return True

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
        """Return all objects that match, read in pages."""
        query = {"labelSelector": label_selector, "fieldSelector": field_selector, "limit": str(page_size)}
        items: list[Any] = []
        poisoned: tuple[Poison, ...] = ()
        while True:
            page = decode_page(self.request("GET", resource.path(namespace=namespace), query=query), as_type)
            items.extend(page.items)
            poisoned += tuple(page.poisoned)
            if not page.next_token:
                return Listing(items, page.resource_version, poisoned)
            query["continue"] = page.next_token

    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str = "",
        timeout_s: float = 300,
        as_type: Any = dict,
    ) -> "RestStream[Any]":
        """Open a watch with bookmarks; the server ends it after `timeout_s`."""
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "labelSelector": label_selector,
            "timeoutSeconds": str(max(1, int(timeout_s))),
        }
        return RestStream(self._open(_Request("GET", resource.path(namespace=namespace), query)), as_type)

    def check_ready(self, *, timeout_s: float = 2.0) -> None:
        """Raise ClusterUnavailable unless the API server says that it is ready."""
        try:
            self.request("GET", "/readyz", timeout_s=timeout_s)
        except KubeError as error:
            raise ClusterUnavailable(f"the API server is not ready: {error.message[:200]}") from error

    def impersonate(self, user: str) -> "RestKube":
        """Return the same cluster seen as `user`, over the same connections."""
        return RestKube(self._pools.file, user=user, pools=self._pools)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        content_type: str = _JSON,
        timeout_s: float = READ_TIMEOUT_S,
    ) -> bytes:
        """Send one request and return the whole answer. Raises KubeError for everything but success."""
        request = _Request(method, path, query or {}, body, content_type, timeout_s)
        return _read_all(self._open(request), RESPONSE_MAX_BYTES)

    def _open(self, request: _Request) -> urllib3.BaseHTTPResponse:
        credentials = self._pools.file.current()
        try:
            return self._send(credentials, request)
        except Unauthorized:
            renewed = self._pools.file.renewed_after(credentials)
            if renewed is None:
                raise
            return self._send(renewed, request)

    def _send(self, credentials: Credentials, request: _Request) -> urllib3.BaseHTTPResponse:
        with _our_errors():
            response = self._pools.for_credentials(credentials).request(
                request.method,
                credentials.server + request.target,
                body=None if request.body is None else json.dumps(request.body, allow_nan=False).encode(),
                headers=self._headers(credentials, request.content_type),
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT_S, request.timeout_s), read=request.timeout_s),
                preload_content=False,
                redirect=False,
            )
        if response.status >= 300:
            raise error_from_response(response.status, _read_all(response, ERROR_MAX_BYTES), response.headers)
        return response

    def _headers(self, credentials: Credentials, content_type: str) -> dict[str, str]:
        headers = {"Accept": _JSON, "Content-Type": content_type, "User-Agent": "berth"}
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
        if self._user:
            headers["Impersonate-User"] = self._user
        return headers


class RestStream(Generic[T]):
    """A watch over one HTTP answer. A stream belongs to one reader; only `cancel` may come from elsewhere."""

    def __init__(self, response: urllib3.BaseHTTPResponse, as_type: type[T]) -> None:
        self._response = response
        self._as_type = as_type
        self._lines = self._read_lines()
        self._cancelled = False
        connection = response.connection
        sock = getattr(connection, "sock", None)
        if sock is not None:
            sock.settimeout(SILENCE_TIMEOUT_S)

    def __enter__(self) -> "RestStream[T]":
        return self

    def __exit__(self, *exc: object) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[WatchEvent[T]]:
        return self

    def __next__(self) -> WatchEvent[T]:
        try:
            return decode_event(next(self._lines), self._as_type)
        except (KubeError, StopIteration):
            self._response.close()
            raise

    def cancel(self) -> None:
        """End the stream: a reader that waits wakes up and stops iterating."""
        self._cancelled = True
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # closed already: nothing left to wake
            self._response.shutdown()

    def _read_lines(self) -> Iterator[bytes]:
        pending = b""
        try:
            with _our_errors():
                for chunk in self._response.stream(_CHUNK_BYTES, decode_content=True):
                    *lines, pending = (pending + chunk).split(b"\n")
                    yield from (line for line in lines if line)
                    if len(pending) > EVENT_MAX_BYTES:
                        raise ResponseTooLarge(f"an event of a watch is larger than {EVENT_MAX_BYTES} bytes")
        except ClusterUnavailable:
            if not self._cancelled:
                raise


@contextlib.contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise ClusterUnavailable(f"no answer from the API server: {error}"[:500]) from error


def _read_all(response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
    deadline = time.monotonic() + TOTAL_TIMEOUT_S
    body = bytearray()
    try:
        with _our_errors():
            for chunk in response.stream(_CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > max_bytes:
                    raise ResponseTooLarge(f"the answer is larger than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise ServerError(f"the answer took longer than {TOTAL_TIMEOUT_S:.0f} s")
    except KubeError:
        response.close()
        raise
    response.release_conn()
    return bytes(body)
