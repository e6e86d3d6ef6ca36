"""The cgroup trees of a machine, as /proc/mounts names them, and the removal of what a node left."""

from pathlib import Path

import pytest

from portal.embedded.node import cgroups
from portal.embedded.node.cgroups import Hierarchy, parse_mounts

_MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,relatime,cpuset 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
"""


def test_both_versions_are_found_and_nothing_else() -> None:
    assert parse_mounts(_MOUNTS) == [
        Hierarchy(Path("/sys/fs/cgroup/cpuset"), 1, ("rw", "relatime", "cpuset")),
        Hierarchy(Path("/sys/fs/cgroup/unified"), 2, ("rw", "relatime")),
    ]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "hierarchies", lambda: [Hierarchy(tmp_path, 1, ())])
    (tmp_path / "berth-1" / "kubepods" / "pod").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    return tmp_path


def test_a_nodes_cgroups_are_removed_from_the_innermost_out(tree: Path) -> None:
    assert cgroups.remove("berth-1") == []
    assert [path.name for path in tree.iterdir()] == ["other"]


def test_cgroups_in_use_are_reported(tree: Path) -> None:
    (
        tree / "berth-1" / "kubepods" / "busy"
    ).touch()  # a directory with a file can't be removed, like one with a process
    assert cgroups.remove("berth-1", timeout_s=0.1) == [tree / "berth-1"]
