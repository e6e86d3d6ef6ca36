"""Tells sockets processes of stored lines, in order, never holding the store up. A lost message loses nothing."""

import asyncio
from collections import deque
from typing import Any
from uuid import UUID

import msgspec
import redis.asyncio as aioredis
import structlog
from django.conf import settings
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.live.payloads import LogBatch, log_topic

_MAX_WAITING = 256
_TIMEOUT_S = 1.0
_PAUSE_S = 1.0
logger = structlog.get_logger(__name__)


class Publisher:
    """A short queue of batches and the task that sends them; when it is full the oldest are dropped."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MAX_WAITING)
        self._filled = asyncio.Event()

    def put(self, workload_id: UUID, batch: LogBatch) -> None:
        """Queue a batch."""
        self._waiting.append((log_topic(workload_id), msgspec.msgpack.encode(batch)))
        self._filled.set()

    async def run(self) -> None:
        """Send until cancelled; what cannot be sent is dropped."""
        client = aioredis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),
        )
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                await self._send(client)
        finally:
            await client.aclose()

    async def _send(self, client: "aioredis.Redis") -> None:
        try:
            while self._waiting:
                await self._send_some(client.pipeline(transaction=False))
        except (RedisError, OSError) as exc:
            logger.warning("log batches not published", error=str(exc))
            self._waiting.clear()
            await asyncio.sleep(_PAUSE_S)

    async def _send_some(self, pipe: Any) -> None:
        messages = list(self._waiting)
        self._waiting.clear()
        for topic, payload in messages:
            pipe.publish(topic, payload)
        await pipe.execute()
