"""A relay in front of an API server that a test can cut, refuse at, or hold up, without touching the server."""

import contextlib
import selectors
import socket
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from portal.kube.client import load_credentials
from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.rest import RestKube


class Relay:
    """Passes bytes between clients and one server on loopback."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 443)
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._open(0)
        self.url = f"https://127.0.0.1:{self._port}"

    def kube(self, kubeconfig: Path) -> RestKube:
        """Return the kubeconfig's cluster, reached through the relay."""

        def load(path: Path) -> Credentials:
            return replace(load_credentials(path), server=self.url)

        return RestKube(CredentialsFile(kubeconfig, load))

    def cut(self) -> None:
        """Refuse new connections and cut the present ones, as when the API server is killed."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):  # wakes the accepting thread where the system lets it
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):  # the other side may have closed it
                    end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again, at the same address."""
        self._open(self._port)

    def hold(self) -> None:
        """Keep the connections and pass nothing, as when the API server is stopped."""
        self._flowing.clear()

    def release(self) -> None:
        """Pass on everything that waited."""
        self._flowing.set()

    def close(self) -> None:
        """Cut for good."""
        self.release()
        self.cut()

    def _open(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed by `cut`
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._pairs.append((client, server))
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with client, server, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    source = client if key.fileobj is client else server
                    data = source.recv(65536)
                    if not data:
                        return
                    self._flowing.wait()
                    other[source].sendall(data)
