"""One Redis subscription for a whole process, handed on in the process: viewers cost Redis nothing.

A message lost here loses nothing: listeners are told after each outage that they may have missed some.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import redis.asyncio as aioredis
import structlog
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

_CONNECT_TIMEOUT_S = 2.0
_READ_TIMEOUT_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_END_S = 2.0
logger = structlog.get_logger(__name__)


class Listener(Protocol):
    """Somebody who follows a topic. Must neither raise nor wait."""

    def on_message(self, payload: bytes) -> None:
        """Take a message."""

    def on_outage(self) -> None:
        """Messages may have been missed: the connection was away and is back."""


class Hub:
    """Topics and who listens to them. Its task and its connection live only while somebody does."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._listeners: dict[str, set[Listener]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._subscribed: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def join(self, topic: str, listener: Listener, *, wait_s: float = 1.0) -> bool:
        """Add a listener; returns whether Redis confirmed the subscription within `wait_s` (it is kept anyway)."""
        self._listeners.setdefault(topic, set()).add(listener)
        confirmed = self._confirmed.setdefault(topic, asyncio.Event())
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live-hub")
        try:
            await asyncio.wait_for(confirmed.wait(), wait_s)
        except TimeoutError:
            return False
        return True

    async def leave(self, topic: str, listener: Listener) -> None:
        """Remove a listener; after the last one the connection is closed."""
        of_topic = self._listeners.get(topic, set())
        of_topic.discard(listener)
        if not of_topic:
            self._listeners.pop(topic, None)
            self._changed.set()
        if not self._listeners and self._task is not None:
            await asyncio.wait({self._task}, timeout=_END_S)
            if not self._listeners:
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=_END_S)

    async def _run(self) -> None:
        pause_s, had_outage = _FIRST_PAUSE_S, False
        while self._listeners:
            try:
                async with self._connected() as pubsub:
                    await self._subscribe(pubsub)
                    if had_outage:
                        self._tell_outage()
                    pause_s = _FIRST_PAUSE_S
                    await self._serve(pubsub)
            except (RedisError, OSError) as exc:
                logger.warning("live hub lost its broker", error=str(exc), pause_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                had_outage = True
            finally:
                self._subscribed.clear()
                for event in self._confirmed.values():
                    event.clear()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Any]:
        client = aioredis.Redis.from_url(
            self._url,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            socket_timeout=_READ_TIMEOUT_S,
            health_check_interval=10,
            retry=Retry(NoBackoff(), 0),
        )
        pubsub: Any = client.pubsub()
        try:
            yield pubsub
        finally:
            await pubsub.aclose()
            await client.aclose()

    async def _serve(self, pubsub: Any) -> None:
        closing = asyncio.Event()
        keeper = asyncio.create_task(self._keep_subscribed(pubsub, closing), name="live-hub-topics")
        try:
            while self._listeners:
                message = await pubsub.get_message(timeout=1.0)
                if message is not None:
                    self._deliver(message)
                if keeper.done():
                    keeper.result()
        finally:
            closing.set()
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep_subscribed(self, pubsub: Any, closing: asyncio.Event) -> None:
        while not closing.is_set():  # the client swallows a cancellation that comes while it sends
            await self._changed.wait()
            await self._subscribe(pubsub)

    async def _subscribe(self, pubsub: Any) -> None:
        self._changed.clear()
        wanted = set(self._listeners)
        added, removed = wanted - self._subscribed, self._subscribed - wanted
        self._subscribed = wanted
        if added:
            await pubsub.subscribe(*added)
        if removed:
            await pubsub.unsubscribe(*removed)
        for topic in removed - set(self._listeners):
            self._confirmed.pop(topic, None)

    def _deliver(self, message: dict[str, Any]) -> None:
        topic = message["channel"].decode()
        if message["type"] == "subscribe" and (confirmed := self._confirmed.get(topic)):
            confirmed.set()
        elif message["type"] == "message":
            for listener in tuple(self._listeners.get(topic, ())):
                listener.on_message(message["data"])

    def _tell_outage(self) -> None:
        for listener in {each for of_topic in self._listeners.values() for each in of_topic}:
            listener.on_outage()
