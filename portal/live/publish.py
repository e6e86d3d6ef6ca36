"""Tells open pages that a workload's row changed: a hint by Channels groups, never the truth.

Never raises when the broker is away, and never holds its caller up for more than a second.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

TIMEOUT_S = 1.0

log = structlog.get_logger(__name__)


class WorkloadChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a page needs to know whether its row is old."""

    id: UUID
    tenant_id: UUID
    state: str
    version: int


def publish_workloads(changes: Sequence[WorkloadChanged]) -> None:
    """Send each change to the groups of its workload and of its tenant; a failure is only logged."""
    try:
        async_to_sync(_send_all)(changes)
    except Exception as exc:  # whatever a broker's client raises: pages also poll
        log.warning("changes not published", count=len(changes), error=str(exc))


async def _send_all(changes: Sequence[WorkloadChanged]) -> None:
    layer = get_channel_layer()
    async with asyncio.timeout(TIMEOUT_S):
        for change in changes:
            message = {
                "type": "workload.changed",
                "id": str(change.id),
                "state": change.state,
                "version": change.version,
            }
            for group in (f"workload.{change.id.hex}", f"tenant.{change.tenant_id.hex}"):
                await layer.group_send(group, message)
