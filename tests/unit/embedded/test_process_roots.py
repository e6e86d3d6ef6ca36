"""The images of the process node: what a machine can't make is said, and the rest is there."""

from pathlib import Path
from typing import NoReturn

import pytest

from portal.embedded.errors import StartError
from portal.embedded.images import build
from portal.embedded.images.oci import Image
from portal.embedded.processnode import roots
from portal.embedded.processnode.roots import ImageRoot


def refuse(**_words: object) -> NoReturn:
    raise StartError("The python image is made from /usr/bin/python3, which does not run")


def test_a_machine_without_its_own_python_still_has_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Image("busybox", tmp_path)
    monkeypatch.setattr(build, "busybox", lambda **_words: shell)
    monkeypatch.setattr(build, "python", refuse)
    said: list[str] = []
    assert roots.made(cache_dir=tmp_path, say=said.append) == [shell]
    assert said == ["The python image is made from /usr/bin/python3, which does not run"]


def test_who_asks_for_another_image_is_told_which_there_are(tmp_path: Path) -> None:
    there = [ImageRoot("registry.berth.internal/busybox:1a2b", "sha256:0", tmp_path, {})]
    assert roots.find("registry.berth.internal/busybox:latest", there) is there[0]
    assert roots.find("python:3.12", there) is None
    assert roots.not_found("python:3.12", there) == (
        'Failed to pull image "python:3.12": not found: the process node pulls nothing, it has only '
        "registry.berth.internal/busybox"
    )
