"""Which image a shipped template means: the cluster's own where it has one, else an ordinary public one.

`@python` in a template stands for the image of that name that the embedded cluster is given. Its reference changes
with its content, so it is looked up when a form is shown and never stored. While the cluster is still being built the
name with the tag `latest` is used, which the node's registry will have.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal import env

ALIAS = "@"
NODE_REGISTRY = "registry.berth.internal"
SHIPPED = ("busybox", "python")


def image_of(spec: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Return the image reference that a template's spec means, given what the cluster was given; "" for none."""
    image = str(spec.get("image") or "")
    if not image.startswith(ALIAS):
        return image
    return known.get(image.removeprefix(ALIAS)) or str(spec.get("image_public") or "")


def resolved(spec: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return a template's spec with the image that it means, as a submission would have it."""
    return {**{name: value for name, value in spec.items() if name != "image_public"}, "image": image_of(spec, known)}


def with_alias(spec: Mapping[str, Any], base: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return a spec with the alias of the template that it comes from, where its image is what that alias means.

    So a template that is made from another one goes on to follow the cluster's own images.
    """
    alias = str(base.get("image") or "")
    if not alias.startswith(ALIAS) or image_of(base, known) != spec.get("image"):
        return dict(spec)
    return {**spec, "image": alias, "image_public": base.get("image_public") or ""}


def known_images() -> dict[str, str]:
    """Return the references of the embedded cluster's own images by name; none with another cluster. Reads a file."""
    if env.text("BERTH_CLUSTER") != "embedded":
        return {}
    expected = {name: f"{NODE_REGISTRY}/{name}:latest" for name in SHIPPED}
    return expected | read_images(env.data_dir() / "node" / "images.json")


def read_images(path: Path) -> dict[str, str]:
    """Return the mapping that a file holds; empty where it is missing, half-written or something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: image for name, image in found.items() if isinstance(image, str)}
