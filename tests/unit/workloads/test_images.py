"""Which image a shipped template means, with and without the embedded cluster's own images."""

from pathlib import Path

import pytest

from workloads.images import image_of, read_images, resolved

SPEC = {"name": "x", "image": "@python", "image_public": "docker.io/library/python:3.12-slim"}
OWN = {"python": "registry.berth.internal/python:abc"}


def test_the_clusters_own_image_comes_first() -> None:
    assert image_of(SPEC, OWN) == "registry.berth.internal/python:abc"
    assert resolved(SPEC, OWN) == {"name": "x", "image": "registry.berth.internal/python:abc"}


def test_elsewhere_it_is_an_ordinary_public_image() -> None:
    assert image_of(SPEC, {}) == "docker.io/library/python:3.12-slim"


def test_a_plain_reference_means_itself() -> None:
    assert image_of({"image": "busybox:1", "image_public": "x"}, OWN) == "busybox:1"
    assert image_of({}, OWN) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\udcff"])
def test_a_file_that_holds_something_else_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "images.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert read_images(path) == {}


def test_a_file_is_read_and_a_missing_one_is_none(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    assert read_images(path) == {}
    path.write_text('{"python": "registry.berth.internal/python:abc", "odd": 1}')
    assert read_images(path) == OWN
