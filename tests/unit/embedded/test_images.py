"""Images: the same tree gives the same bytes, everybody can read it, and times and owners do not get in."""

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from portal.embedded.images.oci import Image, pack, write_layer


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "bin" / "tool").write_text("#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o700)
    (root / "bin" / "link").symlink_to("tool")
    (root / "secret").write_text("x")
    (root / "secret").chmod(0o600)
    return root


def members(root: Path) -> dict[str, tarfile.TarInfo]:
    stream = io.BytesIO()
    write_layer(root, stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        return {member.name: member for member in tar}


def test_every_user_can_read_what_is_inside(tree: Path) -> None:
    modes = {name: member.mode for name, member in members(tree).items() if not member.issym()}
    assert modes == {"bin": 0o755, "bin/tool": 0o755, "secret": 0o644, "tmp": 0o1777}


def test_all_belongs_to_root_and_has_no_time(tree: Path) -> None:
    assert {(member.uid, member.gid, member.mtime) for member in members(tree).values()} == {(0, 0, 0)}
    assert members(tree)["bin/link"].linkname == "tool"


def test_the_version_follows_the_content_only(tree: Path, tmp_path: Path) -> None:
    pack(tree, tmp_path / "one", config={"Cmd": ["tool"]})
    os.utime(tree / "secret", (1, 1))
    pack(tree, tmp_path / "two", config={"Cmd": ["tool"]})
    (tree / "secret").write_text("y")
    pack(tree, tmp_path / "three", config={"Cmd": ["tool"]})
    one, two, three = (Image("tool", tmp_path / name) for name in ("one", "two", "three"))
    assert one.version == two.version != three.version
    assert one.reference == f"registry.berth.internal/tool:{one.version}"


def test_the_manifest_names_the_blobs_that_lie_beside_it(tree: Path, tmp_path: Path) -> None:
    pack(tree, tmp_path / "image", config={})
    manifest = json.loads((tmp_path / "image" / "manifest.json").read_text())
    for blob in (manifest["config"], *manifest["layers"]):
        assert (tmp_path / "image" / blob["digest"].removeprefix("sha256:")).stat().st_size == blob["size"]
