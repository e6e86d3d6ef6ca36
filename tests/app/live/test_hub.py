"""One subscription a process: it comes back after an outage and says so; publishing never waits for a broker."""

import asyncio
import time
import uuid
from typing import Any

import pytest
import redis
from django.conf import settings

from portal.live import checks
from portal.live.hub import Hub
from portal.live.publish import WorkloadChanged, publish_workloads


class Ear:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.outages = 0
        self.news = asyncio.Event()

    def on_message(self, payload: bytes) -> None:
        self.heard.append(payload)
        self.news.set()

    def on_outage(self) -> None:
        self.outages += 1
        self.news.set()

    async def next(self) -> None:
        await asyncio.wait_for(self.news.wait(), 10)
        self.news.clear()


@pytest.fixture
def broker() -> Any:
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    client.close()


async def test_listeners_hear_their_topic_only(broker: Any) -> None:
    hub, one, two = Hub(settings.REDIS_URL), Ear(), Ear()
    assert await hub.join("berth:test:1", one)
    assert await hub.join("berth:test:2", two)
    broker.publish("berth:test:1", b"x")
    await one.next()
    await hub.leave("berth:test:1", one)
    await hub.leave("berth:test:2", two)
    assert (one.heard, two.heard) == ([b"x"], [])


async def test_a_hub_that_everybody_left_can_be_joined_again(broker: Any) -> None:
    hub, ear = Hub(settings.REDIS_URL), Ear()
    for round_number in range(5):
        assert await hub.join("berth:test:1", ear)
        broker.publish("berth:test:1", str(round_number))
        await ear.next()
        await hub.leave("berth:test:1", ear)
    assert ear.heard == [b"0", b"1", b"2", b"3", b"4"]


async def test_after_an_outage_listeners_are_told_and_hear_again(broker: Any) -> None:
    hub, ear = Hub(settings.REDIS_URL), Ear()
    await hub.join("berth:test:1", ear)
    broker.client_kill_filter(_type="pubsub")
    await ear.next()
    assert ear.outages == 1
    broker.publish("berth:test:1", b"after")
    await ear.next()
    await hub.leave("berth:test:1", ear)
    assert ear.heard == [b"after"]


async def test_joining_while_the_broker_is_away_takes_a_second_at_most(tmp_path: Any) -> None:
    hub, ear = Hub(f"unix://{tmp_path}/none.sock"), Ear()
    begun = time.monotonic()
    assert not await hub.join("berth:test:1", ear)
    await hub.leave("berth:test:1", ear)
    assert time.monotonic() - begun < 5


def test_publishing_without_a_broker_neither_raises_nor_takes_over_a_second(settings: Any, tmp_path: Any) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"
    begun = time.monotonic()
    publish_workloads([WorkloadChanged(id=uuid.uuid4(), tenant_id=uuid.uuid4(), state="running", version=1)])
    assert time.monotonic() - begun < 1


def test_a_broker_address_that_is_none_is_found_at_the_start(settings: Any) -> None:
    assert checks.check_broker_address() == []
    settings.REDIS_URL = "nonsense"
    assert [error.id for error in checks.check_broker_address()] == ["live.E001"]
