"""One viewer between store and feed: exactly once, in order, bounded; and a feed that floods."""

import asyncio
import random
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from portal.live.logfeed import LogFeed
from portal.live.logview import MAX_LAG_LINES, LogView
from portal.live.outbox import LIMIT_BYTES, Outbox
from portal.live.payloads import Line, LogBatch


def noise(seed: int) -> str:
    """Return 900 characters that hardly deflate."""
    return random.Random(seed).randbytes(450).hex()  # noqa: S311 (repeatable)


class Viewer:
    """A viewer on a store in memory; `gate` holds its socket up."""

    def __init__(self, *, cursor: int = 0) -> None:
        self.stored: list[Line] = []
        self.events: list[dict[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0
        self.is_stuck = False
        self.feed = LogFeed()
        self.outbox = Outbox(self._send)
        self.outbox.open()
        self.view = LogView(outbox=self.outbox, read_after=self._read, cursor=cursor, known_seq=0, on_stuck=self._stuck)
        self.feed.watchers.add(self.view)

    async def _send(self, event: dict[str, Any]) -> None:
        await self.gate.wait()
        self.events.append(event)

    async def _read(self, seq: int, limit: int) -> Sequence[Line]:
        self.reads += 1
        await asyncio.sleep(0)
        return [line for line in self.stored if line.seq > seq][:limit]

    def _stuck(self) -> None:
        self.is_stuck = True

    def store(self, *numbers: int, text: str = "x") -> list[Line]:
        lines = [Line(seq, seq, 1, "r0", "main", text) for seq in numbers]
        self.stored += lines
        return lines

    def publish(self, lines: list[Line]) -> None:
        self.feed.on_message(msgspec.msgpack.encode(LogBatch(lines)))
        self.feed.flush()

    def seqs(self) -> list[int]:
        found: list[int] = []
        for event in self.events:
            if "bytes" in event:
                data = event["bytes"]
                body = msgspec.json.decode(zlib.decompress(data[1:]) if data[0] & 1 else data[1:])
                found += [line[0] for line in body["lines"]]
        return found

    def controls(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(event["text"]) for event in self.events if "text" in event]

    async def until(self, check: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not check():
                await asyncio.sleep(0.001)

    async def stop(self) -> None:
        await self.view.stop()
        await self.outbox.stop()
        self.feed.stop()


async def test_stored_lines_come_before_live_ones_and_none_twice() -> None:
    viewer = Viewer()
    lines = viewer.store(*range(1, 2501))
    viewer.view.start(viewer.feed)
    viewer.publish(lines[2400:])
    await viewer.until(lambda: viewer.view.cursor == 2500)
    viewer.publish(viewer.store(2501, 2502))
    await viewer.until(lambda: len(viewer.seqs()) == 2502)
    assert viewer.seqs() == list(range(1, 2503))
    await viewer.stop()


async def test_a_batch_that_was_lost_is_read_from_the_store() -> None:
    viewer = Viewer()
    viewer.view.start(viewer.feed)
    viewer.publish(viewer.store(1, 2))
    await viewer.until(lambda: viewer.view.cursor == 2)
    viewer.store(3, 4)  # its message is lost
    viewer.publish(viewer.store(5))
    await viewer.until(lambda: len(viewer.seqs()) == 5)
    assert viewer.seqs() == [1, 2, 3, 4, 5]
    await viewer.stop()


async def test_a_batch_that_overlaps_the_cursor_is_trimmed() -> None:
    viewer = Viewer(cursor=2)
    viewer.store(1, 2)
    viewer.view.start(viewer.feed)
    await viewer.until(lambda: viewer.reads == 1)
    await asyncio.sleep(0.01)
    viewer.publish(viewer.stored + viewer.store(3))
    await viewer.until(lambda: viewer.seqs() == [3])
    await viewer.stop()


async def test_a_slow_viewer_queues_little_and_gets_everything_once_it_reads_again() -> None:
    viewer = Viewer()
    viewer.view.start(viewer.feed)
    await viewer.until(lambda: viewer.reads == 1)
    viewer.gate.clear()
    for first in range(1, 2001, 50):
        text = noise(first)
        viewer.publish(viewer.store(*range(first, first + 50), text=text))
        assert viewer.outbox.queued_bytes <= LIMIT_BYTES
    viewer.gate.set()
    await viewer.until(lambda: viewer.view.cursor == 2000)
    await viewer.until(lambda: viewer.outbox.queued_bytes == 0)
    skipped = sum(frame["to"] - frame["from"] + 1 for frame in viewer.controls() if frame["type"] == "skip")
    assert len(viewer.seqs()) + skipped == 2000
    assert viewer.seqs() == sorted(set(viewer.seqs()))
    await viewer.stop()


async def test_a_viewer_far_behind_skips_with_a_marker() -> None:
    viewer = Viewer()
    lines = viewer.store(*range(1, MAX_LAG_LINES + 1002))
    viewer.feed.last_seq = lines[-1].seq
    viewer.view.start(viewer.feed)
    await viewer.until(lambda: viewer.view.cursor == lines[-1].seq)
    await viewer.until(lambda: viewer.outbox.queued_bytes == 0)
    assert viewer.controls() == [{"type": "skip", "from": 1, "to": MAX_LAG_LINES + 1}]
    assert viewer.seqs() == list(range(MAX_LAG_LINES + 2, MAX_LAG_LINES + 1002))
    await viewer.stop()


async def test_a_viewer_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.live.logview._STUCK_S", 0.05)
    viewer = Viewer()
    viewer.gate.clear()
    for seq in range(1, 500):
        viewer.store(seq, text=noise(seq))
    viewer.view.start(viewer.feed)
    await viewer.until(lambda: viewer.is_stuck)
    assert viewer.outbox.queued_bytes <= LIMIT_BYTES
    await viewer.stop()


async def test_the_end_of_a_log_is_told_once_after_its_last_line() -> None:
    viewer = Viewer()
    viewer.store(1, 2, 3)
    viewer.view.start(viewer.feed)
    viewer.view.on_facts(3, sealed=True)
    viewer.view.on_facts(3, sealed=True)
    await viewer.until(lambda: bool(viewer.controls()))
    await asyncio.sleep(0.02)
    assert viewer.controls() == [{"type": "sealed"}]
    assert "bytes" in viewer.events[0]
    await viewer.stop()


async def test_a_flood_is_skipped_in_the_live_view_with_a_marker() -> None:
    viewer = Viewer()
    viewer.view.start(viewer.feed)
    await viewer.until(lambda: viewer.reads == 1)
    await asyncio.sleep(0.01)
    for first in range(1, 4001, 100):
        viewer.publish(viewer.store(*range(first, first + 100), text="f" * 500))
    assert viewer.feed.last_seq < 4000
    await viewer.until(lambda: viewer.view.cursor == 4000)
    await viewer.until(lambda: viewer.outbox.queued_bytes == 0)
    (skip,) = [frame for frame in viewer.controls() if frame["type"] == "skip"]
    assert viewer.seqs() == [*range(1, skip["from"]), *range(skip["to"] + 1, 4001)]
    await viewer.stop()
