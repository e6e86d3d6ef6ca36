"""Who we are to a cluster, read from a kubeconfig and read again when that file changes.

The file may be missing (the cluster does not exist yet) and may change under us (new token, cluster made anew).
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portal.kube.errors import ClusterUnavailable


@dataclass(frozen=True)
class Credentials:
    """Address, trust and proof for one identity.

    `ssl_context` is None for a cluster reached without TLS; `ca_data` is the authority's certificate, PEM in base64.
    """

    server: str
    authorization: str | None
    ssl_context: ssl.SSLContext | None
    tls_server_name: str | None = None
    ca_data: str | None = None

    def __repr__(self) -> str:
        """Keep the token out of logs and tracebacks."""
        return f"Credentials({self.server!r})"


Fingerprint = tuple[int, int, int]


class CredentialsFile:
    """The credentials in a file, kept until the file changes. Safe to use from several threads."""

    def __init__(self, path: Path, load: Callable[[Path], Credentials]) -> None:
        self.path = path
        self._load = load
        self._lock = threading.Lock()
        self._held: Credentials | None = None
        self._fingerprint: Fingerprint | None = None

    def current(self) -> Credentials:
        """Return what the file says. Raises ClusterUnavailable when it is missing or cannot be understood."""
        fingerprint = self._stat()
        with self._lock:
            if self._held is None or fingerprint != self._fingerprint:
                self._held = self._read()
                self._fingerprint = fingerprint
            return self._held

    def renewed_after(self, refused: Credentials) -> Credentials | None:
        """Return other credentials than those just refused with 401, or None when there are none.

        The file is read again even if it did not change: it may name a program or a file that hands out tokens.
        """
        with self._lock:
            if self._held is refused:
                self._held = None
        renewed = self.current()
        return renewed if renewed.authorization != refused.authorization or renewed.server != refused.server else None

    def _stat(self) -> Fingerprint:
        try:
            found = self.path.stat()
        except OSError as error:
            raise ClusterUnavailable(f"no credentials for a cluster yet: {self.path.name} is missing") from error
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> Credentials:
        return self._load(self.path)
