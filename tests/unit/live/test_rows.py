"""What a viewer is told of changed rows, and when: the first change at once, those that follow in bursts."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

from portal.live.hub import Hub
from portal.live.payloads import WorkloadChanged
from portal.live.rows import BURST_S, RowRelay


def changed(workload_id: UUID, version: int) -> WorkloadChanged:
    return WorkloadChanged(id=workload_id, tenant_id=uuid4(), state="running", version=version)


def relay_into(told: list[tuple[UUID, int, float]]) -> RowRelay:
    def tell(frame: dict[str, Any]) -> None:
        told.append((frame["id"], frame["version"], time.monotonic()))

    return RowRelay(hub=Hub.__new__(Hub), tell=tell, on_gap=lambda: None)


async def test_changes_after_a_pause_are_told_at_once_and_the_next_ones_with_the_following_burst() -> None:
    told: list[tuple[UUID, int, float]] = []
    relay, first, second = relay_into(told), uuid4(), uuid4()
    relay.add(changed(first, 1))
    relay.add(changed(second, 1))
    await asyncio.sleep(0.001)
    assert [row[:2] for row in told] == [(first, 1), (second, 1)]

    relay.add(changed(first, 2))
    relay.add(changed(first, 3))
    async with asyncio.timeout(10):
        while len(told) < 3:
            await asyncio.sleep(0.005)
    assert told[2][:2] == (first, 3)  # the newest version alone
    assert told[2][2] - told[1][2] >= BURST_S * 0.9


async def test_a_version_that_was_told_is_not_told_again() -> None:
    told: list[tuple[UUID, int, float]] = []
    relay, workload = relay_into(told), uuid4()
    for version in (2, 1, 2):
        relay.add(changed(workload, version))
        await asyncio.sleep(0.001)
    assert [row[:2] for row in told] == [(workload, 2)]
