"""The cluster's API server as the measurements see it: one kept-alive client, and watches that note when they heard.

All times are of one clock of one machine (`time.monotonic`), so that two observers can be compared.
"""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

TIMEOUT_S = 10.0
Heard = Callable[[str, dict[str, Any], float], None]  # type of the event, object, moment


class ApiServer:
    """A client with the administrator's keys, which lie beside the kubeconfig; `with` closes its connection."""

    def __init__(self, kubeconfig: Path) -> None:
        pki = kubeconfig.parent
        server = urlsplit(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
        self._host = server.netloc
        self._context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._kept = self._connect(TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._kept.close()

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask over the kept connection and return the answer's object. Raises RuntimeError for a refusal.

        A connection that the server has closed meanwhile is opened again, once.
        """
        data = json.dumps(body) if body is not None else None
        try:
            status, text = self._asked(method, path, data)
        except (http.client.RemoteDisconnected, ConnectionError):
            self._kept.close()
            status, text = self._asked(method, path, data)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {text[:500]!r}")
        decoded: dict[str, Any] = json.loads(text)
        return decoded

    @contextlib.contextmanager
    def watching(self, path: str, heard: Heard) -> Iterator[None]:
        """Call `heard` from a thread of its own for each event from now on, until the block ends."""
        start = self.request("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
        connection = self._connect(None)
        connection.request("GET", f"{path}?watch=1&resourceVersion={start}", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        thread = threading.Thread(target=_listen, args=(answer, heard), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)  # wakes the reading thread
            thread.join(TIMEOUT_S)
            connection.close()

    def _asked(self, method: str, path: str, data: str | None) -> tuple[int, bytes]:
        self._kept.request(method, path, data, {"Content-Type": "application/json", "Accept": "application/json"})
        answer = self._kept.getresponse()
        return answer.status, answer.read()

    def _connect(self, timeout_s: float | None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._host, context=self._context, timeout=timeout_s)


def _listen(answer: http.client.HTTPResponse, heard: Heard) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        while line := answer.readline():
            moment = time.monotonic()
            event = json.loads(line)
            heard(event["type"], event["object"], moment)
