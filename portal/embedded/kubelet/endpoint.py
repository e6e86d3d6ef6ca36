"""The kubelet's HTTPS endpoint: container logs, and only to the API server, known by its client certificate."""

import http.server
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from portal.embedded.kubelet.crilog import LogQuery

API_SERVER = "kube-apiserver-kubelet-client"
_HANDSHAKE_TIMEOUT_S = 10.0
_LOGS = "containerLogs"


class NoSuchLog(Exception):
    """There is no such pod, container or run; the message says which."""


@dataclass(frozen=True)
class LogTarget:
    """Whose log is asked for."""

    namespace: str
    pod: str
    container: str
    previous: bool


OpenLog = Callable[[LogTarget, LogQuery], Iterator[bytes]]


class LogEndpoint:
    """Serves logs on loopback until closed. `open_log` raises NoSuchLog before its first chunk."""

    def __init__(self, *, pki: Path, open_log: OpenLog, address: str = "127.0.0.1", port: int = 0) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "kubelet-serving.crt", pki / "kubelet-serving.key")
        context.load_verify_locations(pki / "ca.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = _Server((address, port), _Handler)
        self._server.context, self._server.open_log = context, open_log
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving; streams that are open end with the process."""
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    context: ssl.SSLContext
    open_log: OpenLog

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about a caller that went away during the handshake; anything else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        # Here and not in the listening socket: a handshake must not hold up other callers.
        self.request.settimeout(_HANDSHAKE_TIMEOUT_S)
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.request.settimeout(None)
        super().setup()

    def do_GET(self) -> None:
        """Answer with a log."""
        if _common_name(self.request.getpeercert()) != API_SERVER:
            self._say(403, "only the API server may ask")
            return
        parts = urlsplit(self.path)
        words = [unquote(word) for word in parts.path.strip("/").split("/")]
        if len(words) != 4 or words[0] != _LOGS:
            self._say(404, "this node serves logs only")
            return
        options = parse_qs(parts.query)
        try:
            query = query_of(options, now=datetime.now(UTC))
        except ValueError as exc:
            self._say(400, str(exc))
            return
        target = LogTarget(words[1], words[2], words[3], previous=_flag(options, "previous"))
        self._serve(target, query)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Keep quiet: a line for each request would fill the node's log."""

    def handle(self) -> None:
        """Serve a connection; one that breaks concerns nobody else."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def _serve(self, target: LogTarget, query: LogQuery) -> None:
        try:
            chunks = self.server.open_log(target, query)
        except NoSuchLog as exc:
            self._say(404, str(exc))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            if chunk:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, text: str) -> None:
        body = text.encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def query_of(options: dict[str, list[str]], *, now: datetime) -> LogQuery:
    """Return what a request's parameters ask for. Raises ValueError for a number or time that is none."""
    since = _one(options, "sinceTime")
    seconds = _one(options, "sinceSeconds")
    tail, limit = _one(options, "tailLines"), _one(options, "limitBytes")
    return LogQuery(
        follow=_flag(options, "follow"),
        timestamps=_flag(options, "timestamps"),
        since=_moment(since) if since else now - timedelta(seconds=int(seconds)) if seconds else None,
        tail_lines=int(tail) if tail else None,
        limit_bytes=int(limit) if limit else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _one(options: dict[str, list[str]], name: str) -> str:
    return options.get(name, [""])[0]


def _flag(options: dict[str, list[str]], name: str) -> bool:
    return _one(options, name).lower() in ("true", "1")


def _common_name(certificate: object) -> str:
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    return next((value for part in subject for name, value in part if name == "commonName"), "")
