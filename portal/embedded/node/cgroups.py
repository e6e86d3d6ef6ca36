"""The node's own place among the machine's cgroups: made before the start, removed after, and found after a crash.

Version 1 is what this was tested on; version 2 follows the kernel's documentation and is unproved.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.errors import StartError

_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")
_REMOVE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Hierarchy:
    """A mounted cgroup tree. In version 1 there is one for each controller."""

    path: Path
    version: int
    controllers: tuple[str, ...]


def parse_mounts(text: str) -> list[Hierarchy]:
    """Return the hierarchies in the text of /proc/mounts."""
    found = []
    for line in text.splitlines():
        _, path, kind, options, *_ = line.split(" ")
        if kind in ("cgroup", "cgroup2"):
            found.append(Hierarchy(Path(path), 2 if kind == "cgroup2" else 1, tuple(options.split(","))))
    return found


def hierarchies() -> list[Hierarchy]:
    """Return the hierarchies of this machine."""
    return parse_mounts(Path("/proc/mounts").read_text(encoding="utf-8"))


def make(name: str) -> None:
    """Make a cgroup of that name in every hierarchy. Raises StartError."""
    trees = hierarchies()
    only_v2 = all(tree.version == 2 for tree in trees)
    try:
        for tree in trees:
            if tree.version == 2 and only_v2:
                _delegate(tree.path)
            root = tree.path / name
            root.mkdir(exist_ok=True)
            if "cpuset" in tree.controllers and tree.version == 1:
                _copy_cpuset(tree.path, root)
            if tree.version == 2 and only_v2:
                _delegate(root)
    except OSError as exc:
        raise StartError(f"The node needs cgroups of its own, and this machine gives none ({exc}).") from exc


def remove(name: str, *, timeout_s: float = _REMOVE_TIMEOUT_S) -> list[Path]:
    """Remove the cgroups of that name with everything below; return what is still in use."""
    deadline = time.monotonic() + timeout_s
    while left := [path for tree in hierarchies() if (path := tree.path / name).is_dir() and not _remove_tree(path)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def _remove_tree(root: Path) -> bool:
    directories = sorted((path for path in root.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
    for path in (*directories, root):
        try:
            path.rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # a process in it is still ending
            return False
    return True


def _copy_cpuset(parent: Path, child: Path) -> None:
    for name in ("cpuset.cpus", "cpuset.mems"):
        (child / name).write_text((parent / name).read_text())


def _delegate(path: Path) -> None:
    offered = (path / "cgroup.controllers").read_text().split()
    wanted = " ".join(f"+{name}" for name in _V2_CONTROLLERS if name in offered)
    if wanted:
        (path / "cgroup.subtree_control").write_text(wanted)
