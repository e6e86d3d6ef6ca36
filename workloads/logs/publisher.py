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

MAX_WAITING_BYTES = 4 * 1024 * 1024
_SEND_BYTES = 512 * 1024
_TIMEOUT_S = 1.0
_PAUSE_S = 1.0
logger = structlog.get_logger(__name__)


class Publisher:
    """A short queue of batches and the task that sends them; when it is full the oldest are dropped."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, bytes]] = deque()
        self.waiting_bytes = 0
        self._filled = asyncio.Event()

    def put(self, workload_id: UUID, batch: LogBatch) -> None:
        """Queue a batch."""
        payload = msgspec.msgpack.encode(batch)
        self._waiting.append((log_topic(workload_id), payload))
        self.waiting_bytes += len(payload)
        while self.waiting_bytes > MAX_WAITING_BYTES:
            self._take()
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
            self.waiting_bytes = 0
            await asyncio.sleep(_PAUSE_S)

    async def _send_some(self, pipe: Any) -> None:
        taken_bytes = 0
        while self._waiting and taken_bytes < _SEND_BYTES:
            topic, payload = self._take()
            taken_bytes += len(payload)
            pipe.publish(topic, payload)
        await pipe.execute()

    def _take(self) -> tuple[str, bytes]:
        topic, payload = self._waiting.popleft()
        self.waiting_bytes -= len(payload)
        return topic, payload
