"""A client of the cluster's API for a node: one certificate, connections that are kept, one a thread.

Standard library only. Knows paths and JSON, not what they mean.
"""

import http.client
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from portal.embedded.node.api import Reply

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_TIMEOUT_S = 15.0
# Bookmarks come each minute: a watch that says nothing for longer is dead.
_SILENCE_S = 75.0


class WatchBroken(Exception):
    """A watch ended otherwise than by its time: list again."""


class KubeClient:
    """The API server at an URL, asked as whoever the certificate `name` in `pki` belongs to."""

    def __init__(self, url: str, *, pki: Path, name: str) -> None:
        self._address = urlsplit(url).netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
        self._local = threading.local()

    def get(self, path: str) -> Reply:
        """Read an object or a list."""
        return self.request("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Reply:
        """Create an object."""
        return self.request("POST", path, body)

    def patch(self, path: str, body: dict[str, Any], *, kind: str = MERGE) -> Reply:
        """Change an object in part."""
        return self.request("PATCH", path, body, content_type=kind)

    def delete(self, path: str, *, uid: str, grace_s: int = 0) -> Reply:
        """Delete exactly the object of this uid."""
        return self.request("DELETE", path, {"gracePeriodSeconds": grace_s, "preconditions": {"uid": uid}})

    def request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, content_type: str = "application/json"
    ) -> Reply:
        """Send a request; a server that can't be reached is a reply with status 0."""
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if sent is not None else {})
        try:
            return self._send(method, path, sent, headers)
        except (OSError, http.client.HTTPException) as exc:
            self._forget()
            return Reply(0, str(exc) or type(exc).__name__)

    def list_all(self, path: str, *, query: str = "", page: int = 500) -> tuple[list[dict[str, Any]], str]:
        """Return every object of a list, page by page, and the version it stood at. Raises WatchBroken."""
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            reply = self.get(f"{path}?limit={page}{'&' if query else ''}{query}{more}")
            if reply.status != 200:
                raise WatchBroken(f"{path}: {reply.status} {reply.text[:200]}")
            body = reply.body
            items += body.get("items") or []
            token = body["metadata"].get("continue")
            if not token:
                return items, str(body["metadata"]["resourceVersion"])
            more = f"&continue={quote(token)}"

    def watch(self, path: str, *, query: str, version: str, timeout_s: int = 300) -> Iterator[dict[str, Any]]:
        """Yield the events of a watch until the server ends it. Raises WatchBroken, OSError."""
        connection = http.client.HTTPSConnection(self._address, context=self._context, timeout=_SILENCE_S)
        options = f"watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={timeout_s}"
        try:
            connection.request("GET", f"{path}?{options}{'&' if query else ''}{query}")
            answer = connection.getresponse()
            if answer.status != 200:
                raise WatchBroken(f"{path}: {answer.status}")
            while line := answer.readline():
                event: dict[str, Any] = json.loads(line)
                if event["type"] == "ERROR":
                    raise WatchBroken(str(event["object"].get("message", "")))
                yield event
        except http.client.HTTPException as exc:
            raise WatchBroken(str(exc)) from exc
        finally:
            connection.close()

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        fresh = getattr(self._local, "connection", None) is None
        try:
            return self._exchange(method, path, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # The server closes connections that were idle; only one that was new says something about the server.
            self._forget()
            if fresh:
                raise
            return self._exchange(method, path, body, headers)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        connection = self._connection()
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Reply(answer.status, answer.read().decode(errors="replace"))

    def _connection(self) -> http.client.HTTPSConnection:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPSConnection(self._address, context=self._context, timeout=_TIMEOUT_S)
            self._local.connection = connection
        return connection

    def _forget(self) -> None:
        connection: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None
