"""Which image a template means, and how often it is looked up."""

from pathlib import Path

import pytest

from workloads import images
from workloads.manifests import _pull_policy

SPEC = {"image": "@python", "image_public": "python:3.12-slim"}


def test_a_shipped_image_is_the_clusters_own_where_it_has_one() -> None:
    assert images.image_of(SPEC, {"python": "registry.berth.internal/python:1"}) == "registry.berth.internal/python:1"


def test_elsewhere_a_shipped_image_is_a_public_one() -> None:
    assert images.resolved(SPEC, {}) == {"image": "python:3.12-slim"}


def test_an_image_of_ones_own_is_left_alone() -> None:
    assert images.image_of({"image": "team/train:1"}, {"python": "x"}) == "team/train:1"


def test_before_the_images_are_made_their_names_are_already_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BERTH_CLUSTER", "embedded")
    monkeypatch.setenv("BERTH_DATA_DIR", str(tmp_path))
    assert images.known_images()["python"] == "registry.berth.internal/python:latest"
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "images.json").write_text('{"python": "registry.berth.internal/python:7"}')
    assert images.known_images()["python"] == "registry.berth.internal/python:7"
    assert images.known_images()["busybox"] == "registry.berth.internal/busybox:latest"


def test_another_cluster_has_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_CLUSTER", "given")
    assert images.known_images() == {}


@pytest.mark.parametrize("broken", ["", "[]", "{", "null", "\udcff", '{"python": 3}'])
def test_a_broken_list_of_images_names_none(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "images.json"
    path.write_bytes(broken.encode(errors="surrogateescape"))
    assert images.read_images(path) == {}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("python", "Always"),
        ("python:latest", "Always"),
        ("registry.example:5000/python", "Always"),
        ("registry.example:5000/python:3", "IfNotPresent"),
        ("python:latest@sha256:" + "0" * 64, "IfNotPresent"),
        ("python:3.12", "IfNotPresent"),
    ],
)
def test_what_may_change_is_looked_up_each_time(image: str, policy: str) -> None:
    assert _pull_policy(image) == policy
