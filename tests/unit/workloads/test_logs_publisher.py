"""What waits for the broker is bounded by its size, and the newest stays."""

from uuid import uuid4

from portal.live.payloads import Line, LogBatch
from workloads.logs.publisher import MAX_WAITING_BYTES, Publisher


async def test_batches_that_the_broker_does_not_take_give_way_to_newer_ones() -> None:
    publisher = Publisher()
    for seq in range(1, 101):
        publisher.put(uuid4(), LogBatch([Line(seq, seq, 1, "r0", "main", "w" * 256 * 1024)]))
        assert publisher.waiting_bytes <= MAX_WAITING_BYTES
    assert publisher.waiting_bytes > MAX_WAITING_BYTES // 2
