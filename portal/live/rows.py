"""Passes changed rows on to one viewer: the newest version of each, at once after a pause, and one burst in 150 ms."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import msgspec
import structlog

from portal.live.hub import Hub
from portal.live.payloads import WorkloadChanged, decode_changes, tenant_topic

BURST_S = 0.15
logger = structlog.get_logger(__name__)


def change_frame(change: WorkloadChanged) -> dict[str, Any]:
    """Return the control frame of a changed row."""
    return {"type": "workload", "id": change.id, "state": change.state, "version": change.version}


class RowRelay:
    """Listens to tenants' changes; `only` narrows them to one workload."""

    def __init__(
        self, *, hub: Hub, tell: Callable[[dict[str, Any]], None], on_gap: Callable[[], None], only: UUID | None = None
    ) -> None:
        self._hub = hub
        self._tell = tell
        self._on_gap = on_gap
        self._only = only
        self._tenants: set[UUID] = set()
        self._waiting: dict[UUID, WorkloadChanged] = {}
        self._told: dict[UUID, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._burst_at = -BURST_S  # by the loop's clock

    async def follow(self, tenants: Iterable[UUID]) -> None:
        """Listen to these tenants and no others."""
        wanted = set(tenants)
        added, removed = wanted - self._tenants, self._tenants - wanted
        self._tenants = wanted
        await asyncio.gather(*(self._hub.join(tenant_topic(tenant_id), self) for tenant_id in added))
        for tenant_id in removed:
            await self._hub.leave(tenant_topic(tenant_id), self)

    async def stop(self) -> None:
        """Listen to nobody."""
        if self._timer is not None:
            self._timer.cancel()
        await self.follow(())

    def add(self, change: WorkloadChanged) -> None:
        """Pass a change on, as soon as the last burst is 150 ms ago, unless it was told already."""
        newest = self._waiting.get(change.id)
        if change.version <= max(self._told.get(change.id, 0), newest.version if newest else 0):
            return
        self._waiting[change.id] = change
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._burst_at + BURST_S), self._burst)

    def on_message(self, payload: bytes) -> None:
        """Take a tenant's changes."""
        try:
            changes = decode_changes(payload)
        except msgspec.DecodeError as exc:
            logger.warning("row changes not understood", error=str(exc))
            return
        for change in changes:
            if self._only in (None, change.id):
                self.add(change)

    def on_outage(self) -> None:
        """Say that changes may have been missed."""
        self._on_gap()

    def _burst(self) -> None:
        self._timer, self._burst_at = None, asyncio.get_running_loop().time()
        waiting, self._waiting = self._waiting, {}
        if len(self._told) > 10_000:  # forgetting costs a frame told twice, nothing else
            self._told.clear()
        for change in waiting.values():
            self._told[change.id] = change.version
            self._tell(change_frame(change))
