"""Packs a directory into an OCI image of one layer. The same files give the same bytes, so a version is a digest."""

import hashlib
import json
import platform
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REGISTRY = "registry.berth.internal"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
# Not compressed: it travels over loopback only, and no compressor's version gets into the digest.
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
_VERSION_CHARACTERS = 12


@dataclass(frozen=True)
class Image:
    """A packed image: a directory with `manifest.json` and the blobs that it names."""

    name: str
    directory: Path

    @property
    def version(self) -> str:
        """Return the tag: the beginning of the manifest's digest."""
        return hashlib.sha256((self.directory / "manifest.json").read_bytes()).hexdigest()[:_VERSION_CHARACTERS]

    @property
    def reference(self) -> str:
        """Return the name under which pods ask for it."""
        return f"{REGISTRY}/{self.name}:{self.version}"


def pack(root: Path, output: Path, *, config: dict[str, Any]) -> None:
    """Write the image of the tree below `root` into the directory `output`."""
    output.mkdir(parents=True, exist_ok=True)
    layer = output / "layer"
    with layer.open("wb") as stream:
        write_layer(root, stream)
    layer_digest, layer_bytes = _file_digest(layer), layer.stat().st_size
    layer.rename(output / layer_digest.partition(":")[2])
    image_config = _encode(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        }
    )
    config_digest = f"sha256:{hashlib.sha256(image_config).hexdigest()}"
    (output / config_digest.partition(":")[2]).write_bytes(image_config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": {"mediaType": _CONFIG_TYPE, "digest": config_digest, "size": len(image_config)},
        "layers": [{"mediaType": _LAYER_TYPE, "digest": layer_digest, "size": layer_bytes}],
    }
    (output / "manifest.json").write_bytes(_encode(manifest))


def write_layer(root: Path, stream: Any) -> None:
    """Write the tree as a tar file: sorted, owned by root, without times, readable by every user."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            member = tar.gettarinfo(path, path.relative_to(root).as_posix())
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = 0
            if member.islnk():  # two names of one file: which is first depends on the file system
                member.type, member.linkname, member.size = tarfile.REGTYPE, "", path.stat().st_size
            member.mode = _open_mode(member)
            if member.isreg():
                with path.open("rb") as content:
                    tar.addfile(member, content)
            else:
                tar.addfile(member)


def _open_mode(member: tarfile.TarInfo) -> int:
    if member.issym():
        return 0o777
    if member.isdir():
        return 0o1777 if member.mode & 0o1000 else 0o755
    return 0o755 if member.mode & 0o100 else 0o644


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
