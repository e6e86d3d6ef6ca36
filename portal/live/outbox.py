"""A viewer's bounded queue of outgoing frames, with one task that sends them: nobody ever waits for a slow viewer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]
LIMIT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Parcel:
    """An ASGI event and its size; the same one is handed to all viewers, so nobody may change it."""

    event: Event
    size_bytes: int


def text_parcel(text: str) -> Parcel:
    """Wrap a text frame."""
    return Parcel({"type": "websocket.send", "text": text}, len(text))


def bytes_parcel(body: bytes) -> Parcel:
    """Wrap a binary frame."""
    return Parcel({"type": "websocket.send", "bytes": body}, len(body))


class Outbox:
    """Frames on their way to one viewer, at most `limit_bytes` of them."""

    def __init__(self, send: Callable[[Event], Awaitable[None]], *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._send = send
        self._limit_bytes = limit_bytes
        self._parcels: deque[Parcel] = deque()
        self._queued_bytes = 0
        self._closing = False
        self._opened = asyncio.Event()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="outbox")

    @property
    def queued_bytes(self) -> int:
        """Return how much waits, the frame that is being sent included."""
        return self._queued_bytes

    def offer(self, parcel: Parcel) -> bool:
        """Queue a frame; False when it does not fit or the socket is closing. An empty queue takes any frame."""
        if self._closing or (self._parcels and self._queued_bytes + parcel.size_bytes > self._limit_bytes):
            return False
        self._parcels.append(parcel)
        self._queued_bytes += parcel.size_bytes
        self._filled.set()
        return True

    def open(self) -> None:
        """Begin to send: the handshake is through."""
        self._opened.set()

    async def wait_below(self, queued_bytes: int, *, stuck_s: float) -> bool:
        """Wait until at most that much is queued; False when not even one frame left within `stuck_s`."""
        while self._queued_bytes > queued_bytes and not self._closing:
            self._drained.clear()
            try:
                await asyncio.wait_for(self._drained.wait(), stuck_s)
            except TimeoutError:
                return False
        return True

    def close(self, code: int) -> None:
        """Drop what is queued and close the socket with `code`, without waiting for it."""
        if self._closing:
            return
        self._closing = True
        self._parcels.clear()
        self._parcels.append(Parcel({"type": "websocket.close", "code": code}, 0))
        self._queued_bytes = 0
        self._filled.set()
        self._drained.set()

    async def stop(self) -> None:
        """End the task: the socket is gone."""
        self._closing = True
        self._drained.set()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await self._opened.wait()
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._parcels:
                parcel = self._parcels[0]
                try:
                    await self._send(parcel.event)
                except OSError:  # the client went away; its disconnect event ends the consumer
                    self._closing = True
                    return
                if parcel.event["type"] == "websocket.close":
                    return
                self._forget(parcel)

    def _forget(self, parcel: Parcel) -> None:
        if self._parcels and self._parcels[0] is parcel:  # a close may have emptied the queue meanwhile
            self._parcels.popleft()
            self._queued_bytes -= parcel.size_bytes
            self._drained.set()
