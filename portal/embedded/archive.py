"""The file of a backup: a tar that says first what it is and last what its parts must add up to.

A file without its last part was never finished. Every part is regular, of a known name and checked before it is used.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from portal.embedded.errors import StartError

FORMAT = 1
ABOUT = "berth-backup.json"
DUMP = "database.dump"
SUMS = "checksums.json"
# Small private files of the data directory that nothing can rebuild.
KEPT_FILES = ("secret.key", "demo-accounts.txt")
CHUNKS = "logs-store"
_CHUNK = re.compile(rf"{CHUNKS}/[0-9a-f-]{{36}}/[0-9]{{1,20}}-[0-9]{{1,20}}")
_LARGEST_SMALL_BYTES = 64 * 1024 * 1024
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class About:
    """What a backup says of itself: versions, when, of which installation, its migrations and how many rows a table."""

    format: int
    release: str
    postgres: str
    made_at: str
    installation: str
    migrations: list[str]
    rows: dict[str, int] = field(default_factory=dict)
    log_lines: int = 0


class Writer:
    """Adds parts one after the other and remembers their sums; `close` writes the last part."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._tar = tarfile.TarFile(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT)
        self._sums: dict[str, dict[str, Any]] = {}

    def add_bytes(self, name: str, body: bytes) -> None:
        """Add a part that is small enough to be held."""
        self._add(name, io.BytesIO(body), len(body))

    def add_file(self, name: str, path: Path) -> None:
        """Add a file as it is now. Raises OSError, FileNotFoundError among them: nothing was added then."""
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def close(self) -> None:
        """Write the sums: only now the backup is whole."""
        body = json.dumps({"format": FORMAT, "parts": self._sums}).encode()
        self._tar.addfile(_entry(SUMS, len(body)), io.BytesIO(body))
        self._tar.close()

    def _add(self, name: str, source: IO[bytes], size_bytes: int) -> None:
        counted = _Hashing(source)
        self._tar.addfile(_entry(name, size_bytes), counted)
        self._sums[name] = {"bytes": size_bytes, "sha256": counted.sha256.hexdigest()}


class _Hashing:
    """A file that remembers the sum of what was read of it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.sha256.update(block)
        return block


@contextlib.contextmanager
def written(target: Path, about: About) -> Iterator[Writer]:
    """Write a backup, whole or not at all, readable by its owner alone; it has its name only when it is on disk."""
    unfinished = target.with_name(f"{target.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            writer = Writer(stream)
            writer.add_bytes(ABOUT, json.dumps(asdict(about), indent=1).encode())
            yield writer
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
        _sync_directory(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def read_about(source: Path) -> About:
    """Return what a backup says of itself. Raises StartError for a file that is none, and for one of a later format."""
    with _opened(source) as tar:
        first = tar.next()
        if first is None or first.name != ABOUT or not first.isreg():
            raise StartError(f"{source} is no backup of Berth.")
        return _about_of(source, _json_of(tar, first, source))


def check(source: Path) -> About:
    """Read a whole backup and return what it says of itself.

    Raises StartError where it was never finished, is damaged, or holds anything that a backup does not.
    """
    about = read_about(source)
    found: dict[str, dict[str, Any]] = {}
    promised: dict[str, Any] | None = None
    with _opened(source) as tar:
        for member in tar:
            if promised is not None or member.name in found or not _is_part(member):
                raise StartError(f"{source} is damaged: {member.name!r} does not belong into a backup.")
            if member.name == SUMS:
                promised = _json_of(tar, member, source).get("parts", {})
            else:
                found[member.name] = {"bytes": member.size, "sha256": _sum_of(tar, member)}
    if promised is None:
        raise StartError(f"{source} is not whole: it was never finished, or its end is missing.")
    if changed := sorted(name for name in {*promised, *found} if promised.get(name) != found.get(name)):
        raise StartError(f"{source} is damaged: {changed[0]} is not what was written.")
    if DUMP not in found or KEPT_FILES[0] not in found:
        raise StartError(f"{source} is damaged: it lacks the database or the secret key.")
    return about


def extract(source: Path, name: str, target: Path) -> bool:
    """Write one part into a new private file; False where the backup lacks it."""
    with _opened(source) as tar:
        member = next((each for each in tar if each.name == name), None)
        if member is None:
            return False
        _write_part(tar, member, target)
    return True


def extract_chunks(source: Path, store: Path) -> set[Path]:
    """Write every chunk of the logs below `store`, each in one step, and return their paths."""
    kept: set[Path] = set()
    with _opened(source) as tar:
        for member in tar:
            if not (_CHUNK.fullmatch(member.name) and member.isreg()):
                continue
            target = store / member.name.removeprefix(f"{CHUNKS}/")
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            beside.unlink(missing_ok=True)
            _write_part(tar, member, beside)
            beside.replace(target)
            kept.add(target)
    for directory in {path.parent for path in kept}:
        _sync_directory(directory)
    return kept


def _is_part(member: tarfile.TarInfo) -> bool:
    known = member.name in {ABOUT, DUMP, SUMS, *KEPT_FILES} or _CHUNK.fullmatch(member.name) is not None
    return known and member.isreg()


def _about_of(source: Path, told: dict[str, Any]) -> About:
    version = told.get("format")
    if version != FORMAT:
        raise StartError(
            f"{source} has the format {version}, of release {told.get('release', '?')}; this release reads format "
            f"{FORMAT}: restore it with the release that wrote it, or a newer one."
        )
    try:
        return About(**told)
    except TypeError as exc:
        raise StartError(f"{source} is damaged: what it says of itself cannot be read.") from exc


def _json_of(tar: tarfile.TarFile, member: tarfile.TarInfo, source: Path) -> dict[str, Any]:
    stream = tar.extractfile(member) if member.size <= _LARGEST_SMALL_BYTES else None
    try:
        told = json.loads(stream.read()) if stream else None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise StartError(f"{source} is damaged: {member.name} cannot be read.")
    return told


def _sum_of(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    sha256 = hashlib.sha256()
    for block in _blocks(tar, member):
        sha256.update(block)
    return sha256.hexdigest()


def _write_part(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for block in _blocks(tar, member):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _blocks(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterable[bytes]:
    stream = tar.extractfile(member)
    while stream and (block := stream.read(_BLOCK_BYTES)):
        yield block


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(source, mode="r:") as tar:
            yield tar
    except FileNotFoundError as exc:
        raise StartError(f"There is no file {source}.") from exc
    except EOFError as exc:
        raise StartError(f"{source} is not whole: its end is missing.") from exc
    except tarfile.ReadError as exc:
        if "unexpected end" in str(exc):
            raise StartError(f"{source} is not whole: its end is missing.") from exc
        raise StartError(f"{source} is no backup of Berth, or damaged ({exc}).") from exc
    except tarfile.TarError as exc:
        raise StartError(f"{source} is no backup of Berth, or damaged ({exc}).") from exc


def _entry(name: str, size_bytes: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size_bytes, 0o600
    return entry


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
