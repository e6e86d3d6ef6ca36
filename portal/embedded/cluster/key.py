"""Names a build by what goes into it, so that a binary in the cache is either exactly right or not there."""

import hashlib
import platform
from pathlib import Path

KUBERNETES_VERSION = "v1.36.3"
CONTAINERD_VERSION = "v2.4.2"
_SUFFIXES = (".go", ".mod", ".sum")
_KEY_CHARACTERS = 24


def source_files(source_dir: Path) -> list[Path]:
    """Return the files that the build reads, in a fixed order; tests and other modules below are none of them."""
    others = {path.parent for path in source_dir.rglob("go.mod")} - {source_dir}
    found = (path for path in source_dir.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.endswith("_test.go") and others.isdisjoint(path.parents))


def content_key(source_dir: Path, *, flags: tuple[str, ...] = (), machine: str = platform.machine()) -> str:
    """Return the hexadecimal key of a build of these sources with these flags on this kind of machine."""
    digest = hashlib.sha256("\0".join((machine, *flags)).encode())
    for path in source_files(source_dir):
        name = path.relative_to(source_dir).as_posix()
        digest.update(f"\0{name}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:_KEY_CHARACTERS]
