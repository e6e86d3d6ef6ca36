"""The images of the process node: the demo's own, unpacked into directories. Nothing is pulled from anywhere."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portal.embedded.errors import StartError
from portal.embedded.images import build
from portal.embedded.images.oci import Image

_MOUNT_FILES = ("etc/resolv.conf", "etc/hosts")


@dataclass(frozen=True)
class ImageRoot:
    """An unpacked image, and what its configuration says of how to run it."""

    reference: str
    digest: str
    root: Path
    config: dict[str, Any]

    @property
    def image_id(self) -> str:
        """Return the name by content, as a runtime reports it."""
        return f"{self.reference.rpartition(':')[0]}@{self.digest}"


def made(*, cache_dir: Path, say: Callable[[str], None]) -> list[Image]:
    """Make the images where needed. One that this machine cannot make is said and left out. Raises OSError."""
    images = []
    for make in (build.busybox, build.python):
        try:
            images.append(make(cache_dir=cache_dir, say=say))
        except StartError as exc:
            say(str(exc))
    return images


def prepare(*, cache_dir: Path, directory: Path, say: Callable[[str], None]) -> list[ImageRoot]:
    """Make the images where needed and unpack them. Raises OSError."""
    return [unpack(image, directory) for image in made(cache_dir=cache_dir, say=say)]


def unpack(image: Image, directory: Path) -> ImageRoot:
    """Unpack an image below `directory`, whole or not at all; what is there already stays. Raises OSError."""
    root = directory / f"{image.name}-{image.version}"
    manifest = json.loads((image.directory / "manifest.json").read_text())
    if not root.exists():
        unfinished = root.with_name(f"{root.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for layer in manifest["layers"]:
            with tarfile.open(_blob(image, layer["digest"])) as tar:
                # Not as an argument: Debian 12's Python knows no filters, and these archives are our own.
                tar.extraction_filter = getattr(tarfile, "tar_filter", None)
                tar.extractall(unfinished)  # noqa: S202 - made by portal.embedded.images
        for name in _MOUNT_FILES:
            (unfinished / name).touch()
        unfinished.rename(root)
    config = json.loads(_blob(image, manifest["config"]["digest"]).read_text())["config"]
    return ImageRoot(image.reference, f"sha256:{_digest(image)}", root, config)


def references(roots: list[ImageRoot]) -> dict[str, str]:
    """Return name → reference, as the portal reads it."""
    return {each.reference.rpartition("/")[2].partition(":")[0]: each.reference for each in roots}


def find(reference: str, roots: list[ImageRoot]) -> ImageRoot | None:
    """Return the image that a pod asks for: by its version or digest, or by the tag `latest`; None: unknown."""
    for each in roots:
        name = each.reference.rpartition(":")[0]
        if reference in (each.reference, f"{name}:latest", name, each.image_id):
            return each
    return None


def not_found(reference: str, roots: list[ImageRoot]) -> str:
    """Return the message of a pull that cannot be."""
    names = ", ".join(each.reference.rpartition(":")[0] for each in roots)
    return f'Failed to pull image "{reference}": not found: the process node pulls nothing, it has only {names}'


def _blob(image: Image, digest: str) -> Path:
    return image.directory / digest.partition(":")[2]


def _digest(image: Image) -> str:
    return hashlib.sha256((image.directory / "manifest.json").read_bytes()).hexdigest()
