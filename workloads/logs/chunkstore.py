"""Where chunks of logs are kept: a directory here, an object store elsewhere, behind one Protocol."""

import os
import re
from pathlib import Path
from typing import Protocol

from django.conf import settings

_PATH = re.compile(r"[0-9a-f-]{36}/[0-9]{1,20}-[0-9]{1,20}")


class ChunkMissing(LookupError):
    """The store has no chunk of this path."""


class ChunkStore(Protocol):
    """Whole chunks by path; writing the same path again replaces it in one step. Methods may raise OSError."""

    def put(self, path: str, body: bytes) -> None:
        """Keep a chunk; when this returns it survives a power cut."""

    def get(self, path: str) -> bytes:
        """Return a chunk. Raises ChunkMissing."""

    def delete(self, path: str) -> None:
        """Forget a chunk; nothing happens when it is gone already."""


class DirectoryChunkStore:
    """Chunks as files below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, path: str, body: bytes) -> None:
        """Write beside the name, then rename onto it."""
        target = self._target(path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with beside.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(target)
        _sync_directory(target.parent)

    def get(self, path: str) -> bytes:
        """Read the file."""
        try:
            return self._target(path).read_bytes()
        except FileNotFoundError as exc:
            raise ChunkMissing(path) from exc

    def delete(self, path: str) -> None:
        """Remove the file."""
        self._target(path).unlink(missing_ok=True)

    def _target(self, path: str) -> Path:
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is no path of a chunk")
        return self._directory / path


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def chunk_store() -> ChunkStore:
    """Return the store of this installation."""
    return DirectoryChunkStore(settings.DATA_DIR / "logs-store")
