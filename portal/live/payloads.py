"""What travels over Redis and websockets, as typed structures shared by senders and consumers. No I/O."""

from uuid import UUID

import msgspec

LINE, GAP, CONTINUATION, NOTE = range(4)
"""Kinds of a log line: output, lines that are lost for good (its text is a `portal.core.loggaps.Gap` as JSON), the next
piece of a split line, a word of the system."""


class WorkloadChanged(msgspec.Struct, frozen=True):
    """A workload's row has a new version."""

    id: UUID
    tenant_id: UUID
    state: str
    version: int


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One numbered line of a workload's log. `time_ns` counts from 1970, UTC; `pod` is a short label."""

    seq: int
    time_ns: int
    attempt: int
    pod: str
    container: str
    text: str
    kind: int = LINE


class LogBatch(msgspec.Struct, frozen=True):
    """Lines that the store holds since a moment ago, in order and without a hole; or the word that no more come."""

    lines: list[Line] = []
    sealed: bool = False


_decode_changes = msgspec.msgpack.Decoder(list[WorkloadChanged]).decode
_decode_batch = msgspec.msgpack.Decoder(LogBatch).decode


def tenant_topic(tenant_id: UUID) -> str:
    """Return the Redis channel of a tenant's row changes."""
    return f"berth:tenant:{tenant_id}"


def log_topic(workload_id: UUID) -> str:
    """Return the Redis channel of a workload's log batches."""
    return f"berth:log:{workload_id}"


def decode_changes(payload: bytes) -> list[WorkloadChanged]:
    """Read a message of `tenant_topic`. Raises msgspec.DecodeError."""
    return _decode_changes(payload)


def decode_batch(payload: bytes) -> LogBatch:
    """Read a message of `log_topic`. Raises msgspec.DecodeError."""
    return _decode_batch(payload)
