"""What is told to a container's first process: mounts, their places, the order itself. Touches the disk, runs nothing.

Where user namespaces are forbidden nothing can be mounted: paths in the command line, the environment and the working
directory are rewritten to where the volumes really are, and volumes inside others become links.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from portal.embedded.processnode.roots import ImageRoot

NOBODY = 65534
_IMAGE_PATHS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")


@dataclass(frozen=True)
class Mount:
    """A volume, or a part of it, at a place in the container."""

    source: Path
    path: str
    read_only: bool


@dataclass(frozen=True)
class Launch:
    """A container that is about to be started."""

    image: ImageRoot
    argv: Sequence[str]
    env: Mapping[str, str]
    working_dir: str
    mounts: Sequence[Mount]
    hostname: str
    uid: int = NOBODY
    gid: int = NOBODY


def mounts_of(container: Mapping[str, Any], volumes: Mapping[str, Path]) -> list[Mount]:
    """Return the container's mounts, outer ones first. Raises KeyError for a volume that is not there."""
    made = [
        Mount(
            volumes[each["name"]] / each.get("subPath", ""),
            str(PurePosixPath("/", each["mountPath"])),
            bool(each.get("readOnly", False)),
        )
        for each in container.get("volumeMounts", [])
    ]
    return sorted(made, key=lambda mount: mount.path)


def user_of(pod: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[int, int]:
    """Return the user and group that the container sees itself as; on the machine it is always ours."""
    pod_wide, own = pod["spec"].get("securityContext") or {}, container.get("securityContext") or {}
    uid = own.get("runAsUser", pod_wide.get("runAsUser", NOBODY))
    return uid, own.get("runAsGroup", pod_wide.get("runAsGroup", uid))


def make_mount_points(launch: Launch) -> None:
    """Make the directories and files that volumes are put on, in the image's tree or in an outer volume."""
    for mount in launch.mounts:
        target = _place(mount.path, launch)
        if mount.source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    _place(launch.working_dir, launch).mkdir(parents=True, exist_ok=True)


def isolated_order(launch: Launch, *, scratch: Path) -> dict[str, Any]:
    """Return the order for a container with a file system of its own."""
    return {
        "isolated": True,
        "uid": launch.uid,
        "gid": launch.gid,
        "root": str(launch.image.root),
        "scratch": str(scratch),
        "mounts": [
            {"source": str(mount.source), "path": mount.path, "read_only": mount.read_only} for mount in launch.mounts
        ],
        "hostname": launch.hostname,
        "argv": list(launch.argv),
        "env": dict(launch.env),
        "working_dir": launch.working_dir,
    }


def plain_order(launch: Launch) -> dict[str, Any]:
    """Return the order for a container on the machine's own file system, with its paths rewritten."""
    _link_inner(launch.mounts)
    env = {name: rewritten(value, launch.mounts) for name, value in launch.env.items()}
    root = launch.image.root
    packages = sorted(root.glob("usr/local/lib/python3*/dist-packages"))
    return {
        "isolated": False,
        "argv": [rewritten(word, launch.mounts) for word in launch.argv],
        "env": env
        | {"PATH": ":".join(f"{root}/{path}" for path in _IMAGE_PATHS)}
        | ({"PYTHONPATH": str(packages[0])} if packages else {}),
        "working_dir": rewritten(launch.working_dir, launch.mounts),
    }


def rewritten(text: str, mounts: Sequence[Mount]) -> str:
    """Return a text in which paths below a mount are those of the machine; the innermost mount decides."""
    sources = {mount.path: str(mount.source) for mount in mounts}
    if not sources:
        return text
    paths = "|".join(re.escape(path) for path in sorted(sources, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])(?:{paths})(?![\w.-])", lambda match: sources[match[0]], text)


def _place(path: str, launch: Launch) -> Path:
    """Return where a path of the container lies on the machine before anything is mounted."""
    wanted = PurePosixPath(path)
    for mount in reversed(launch.mounts):
        if wanted != PurePosixPath(mount.path) and wanted.is_relative_to(mount.path):
            return mount.source / wanted.relative_to(mount.path)
    return launch.image.root / wanted.relative_to("/")


def _link_inner(mounts: Sequence[Mount]) -> None:
    for mount in mounts:
        for outer in mounts:
            if mount.path != outer.path and PurePosixPath(mount.path).is_relative_to(outer.path):
                link = outer.source / PurePosixPath(mount.path).relative_to(outer.path)
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(mount.source)
