"""Container output from the API server, streamed. Holds at most one line of each container in memory."""

import asyncio
import socket
from asyncio.sslproto import SSLProtocol
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import aiohttp

from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.errors import ClusterUnavailable, Unauthorized, error_from_response
from portal.kube.lines import LineSplitter
from portal.kube.types import PODS

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0  # without follow: a container that says nothing ends its answer at once
READ_CHUNK_BYTES = 64 * 1024
_ERROR_MAX_BYTES = 64 * 1024
# A quiet container sends nothing for hours, not even the header, so silence proves nothing: the kernel asks the peer.
_KEEPALIVE = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
)


# Each TLS connection of asyncio keeps a read buffer of this size, 256 KiB by default (CPython, asyncio/sslproto.py).
# With a stream for each container that is most of a collector's memory: 312 KiB a stream were measured, 87 KiB with
# this. A record has 16 KiB at most (RFC 8446, 5.1).
SSLProtocol.max_size = 32 * 1024


class HttpLogSource:
    """Follows logs over one session. Belongs to the event loop that first used it."""

    def __init__(self, file: CredentialsFile) -> None:
        self._file = file
        self._session: aiohttp.ClientSession | None = None

    async def follow(
        self,
        *,
        namespace: str,
        pod: str,
        container: str,
        since: datetime | None = None,
        previous: bool = False,
        follow: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Yield timestamped lines; see `LogSource.follow`."""
        path = PODS.path(namespace=namespace, name=pod, subresource="log")
        query = _query(container=container, since=since, previous=previous, follow=follow)
        response = await self._open(path, query, timeout_s=None if follow else ANSWER_TIMEOUT_S)
        splitter = LineSplitter()
        try:
            async for chunk in response.content.iter_any():
                for line in splitter.feed(chunk):
                    yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ClusterUnavailable(f"the log stream was cut off: {error}") from error
        finally:
            response.close()
        for line in splitter.flush():
            yield line

    async def aclose(self) -> None:
        """Drop the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _open(self, path: str, query: dict[str, str], *, timeout_s: float | None) -> aiohttp.ClientResponse:
        credentials = await asyncio.to_thread(self._file.current)
        try:
            return await self._send(credentials, path, query, timeout_s)
        except Unauthorized:
            renewed = await asyncio.to_thread(self._file.renewed_after, credentials)
            if renewed is None:
                raise
            return await self._send(renewed, path, query, timeout_s)

    async def _send(
        self, credentials: Credentials, path: str, query: dict[str, str], timeout_s: float | None
    ) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=timeout_s)
        try:
            response = await self._open_session().get(
                credentials.server + path,
                params=query,
                headers={"Authorization": credentials.authorization} if credentials.authorization else {},
                ssl=credentials.ssl_context if credentials.ssl_context is not None else True,
                server_hostname=credentials.tls_server_name,
                timeout=timeout,
                allow_redirects=False,
            )
            if response.status < 300:
                return response
            body = await response.content.read(_ERROR_MAX_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ClusterUnavailable(f"no answer from the API server: {error}") from error
        response.close()
        raise error_from_response(response.status, body, response.headers)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, socket_factory=_keepalive_socket)
            headers = {"Accept-Encoding": "identity", "User-Agent": "berth"}
            self._session = aiohttp.ClientSession(
                connector=connector, headers=headers, trust_env=False, read_bufsize=READ_CHUNK_BYTES
            )
        return self._session


def _query(*, container: str, since: datetime | None, previous: bool, follow: bool) -> dict[str, str]:
    query = {"container": container, "timestamps": "true"}
    if since is not None:
        query["sinceTime"] = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if previous:
        query["previous"] = "true"
    if follow:
        query["follow"] = "true"
    return query


def _keepalive_socket(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setblocking(False)
    for level, name, value in _KEEPALIVE:
        option = getattr(socket, name, None)  # TCP_KEEPIDLE is not on every system
        if option is not None:
            made.setsockopt(level, option, value)
    return made
