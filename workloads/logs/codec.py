"""How batches of lines are kept: one byte that names the form, then msgpack, compressed where that pays. Pure."""

from collections.abc import Sequence

import msgspec
import zstandard

from portal.live.payloads import Line

_PLAIN, _ZSTD = b"\0", b"\1"
_COMPRESS_FROM_BYTES = 1024
MAX_DECODED_BYTES = 64 * 1024 * 1024
"""Far above what is ever written; bounds what a damaged file can make us allocate."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Line]).decode


class DamagedBatch(ValueError):
    """A stored batch cannot be read."""


def encode_lines(lines: Sequence[Line], *, level: int = 1) -> bytes:
    """Return the stored form of lines."""
    body = _encode(list(lines))
    if len(body) < _COMPRESS_FROM_BYTES:
        return _PLAIN + body
    return _ZSTD + zstandard.ZstdCompressor(level=level).compress(body)


def decode_lines(stored: bytes | memoryview) -> list[Line]:
    """Return the lines of a stored form. Raises DamagedBatch."""
    data = bytes(stored)
    try:
        if data[:1] == _ZSTD:
            body = zstandard.ZstdDecompressor().decompress(data[1:], max_output_size=MAX_DECODED_BYTES)
            return _decode(body)
        if data[:1] == _PLAIN:
            return _decode(data[1:])
    except (zstandard.ZstdError, msgspec.DecodeError) as exc:
        raise DamagedBatch(str(exc)) from exc
    raise DamagedBatch("unknown form")
