"""A real server with a real websocket: what a client sees when the server is told to end."""

import asyncio

import pytest
import uvicorn
from django.conf import settings
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from portal.asgi import application
from portal.core.models import User
from tests.app.workloads.logs.conftest import LoggedWorkload, eventually, in_thread
from tests.app.workloads.logs.sockets import ORIGIN, cookie_of

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_server_that_ends_closes_its_sockets_with_1012(logged: LoggedWorkload, owner: User) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            application, host="127.0.0.1", port=0, lifespan="off", log_level="error", timeout_graceful_shutdown=5
        )
    )
    serving = asyncio.create_task(server._serve())

    async def started() -> bool:
        return server.started

    await eventually(started)
    port = server.servers[0].sockets[0].getsockname()[1]
    cookie = await in_thread(cookie_of, owner)
    url = f"ws://127.0.0.1:{port}/ws/workloads/{logged.workload.pk}/logs/"
    headers = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"}
    async with connect(url, origin=Origin(ORIGIN), additional_headers=headers) as socket:
        assert '"hello"' in str(await socket.recv())
        server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(socket.recv(), 10)
    await asyncio.wait_for(serving, 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
