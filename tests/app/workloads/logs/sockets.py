"""Websockets as a browser opens them: through the whole ASGI application, with a session's cookie and an Origin."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.test import Client

from portal.asgi import application
from portal.core.models import User
from tests.app.workloads.logs.conftest import eventually, in_thread

ORIGIN = "http://127.0.0.1:8080"


class Socket:
    """A socket and what came over it so far."""

    def __init__(self, communicator: Any) -> None:
        self._communicator = communicator
        self.controls: list[dict[str, Any]] = []
        self.lines: list[list[Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.close_code: int | None = None

    async def next(self, timeout_s: float = 10) -> dict[str, Any]:
        """Take one event in and return it."""
        event: dict[str, Any] = await self._communicator.receive_output(timeout_s)
        if event["type"] == "websocket.close":
            self.close_code = event["code"]
        elif "text" in event:
            self.controls.append(msgspec.json.decode(event["text"]))
        else:
            body = event["bytes"][1:]
            frame = msgspec.json.decode(zlib.decompress(body) if event["bytes"][0] & 1 else body)
            self.frames.append(frame)
            self.lines += frame["lines"]
        return event

    async def until_lines(self, count: int) -> list[str]:
        """Take events in until so many lines came; return their texts."""
        while len(self.lines) < count:
            await self.next()
        return [line[5] for line in self.lines]

    async def until_closed(self, timeout_s: float = 10) -> int:
        """Take events in until the socket is closed; return the code."""
        async with asyncio.timeout(timeout_s):
            while self.close_code is None:
                await self.next(timeout_s)
        return self.close_code

    async def until_control(self, kind: str) -> dict[str, Any]:
        """Take events in until a control frame of a type came."""
        while not (found := [frame for frame in self.controls if frame["type"] == kind]):
            await self.next()
        return found[-1]


def cookie_of(user: User) -> str:
    """Return the value of a new session's cookie."""
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def communicator_of(path: str, headers: list[tuple[bytes, bytes]]) -> Any:
    """Return a socket to the whole application, not opened yet."""
    route, _, query = path.partition("?")
    scope = {
        "type": "websocket",
        "path": route,
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8080"), *headers],
        "subprotocols": [],
    }
    return ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]


@asynccontextmanager
async def opened(path: str, user: User | None) -> AsyncIterator[Socket]:
    """Open a socket as a page of somebody's browser, and close it as a browser does."""
    headers = [(b"origin", ORIGIN.encode())]
    if user is not None:
        headers.append(await in_thread(cookie_header, user))
    async with opened_with(path, headers) as socket:
        yield socket


@asynccontextmanager
async def opened_with(path: str, headers: list[tuple[bytes, bytes]]) -> AsyncIterator[Socket]:
    """Open a socket with these headers, and close it."""
    communicator = communicator_of(path, headers)
    await communicator.send_input({"type": "websocket.connect"})
    assert (await communicator.receive_output(10))["type"] == "websocket.accept"
    try:
        yield Socket(communicator)
    finally:
        await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
        await communicator.wait(10)


def cookie_header(user: User) -> tuple[bytes, bytes]:
    """Return the header with a new session's cookie."""
    return b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie_of(user)}".encode()


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Serve the application on a port of this machine; give the port."""
    config = uvicorn.Config(
        application, host="127.0.0.1", port=0, lifespan="off", log_level="error", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
