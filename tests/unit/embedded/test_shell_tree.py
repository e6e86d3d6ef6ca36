"""The shell of the images on a machine without busybox: the machine's own programs stand in for it, and run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from portal.embedded.errors import StartError
from portal.embedded.images.trees import lay_out_shell, machine_shell


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with this machine's programs but without busybox."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name in ("sh", "cat", "sleep", "grep"):
        found = shutil.which(name)
        assert found is not None
        (directory / name).symlink_to(Path(found).resolve())
    (directory / "tail").symlink_to("cat")
    return directory


def test_busybox_is_taken_where_it_is(tools: Path) -> None:
    (tools / "busybox").symlink_to("cat")
    assert machine_shell(search_path=str(tools)) == {"busybox": tools / "busybox"}


def test_without_it_the_programs_of_the_machine_are_laid_out_with_what_they_load(tools: Path, tmp_path: Path) -> None:
    shell = machine_shell(search_path=str(tools))
    assert {"sh", "cat", "sleep", "grep"} <= set(shell)
    root = tmp_path / "root"
    root.mkdir()
    lay_out_shell(root, shell)
    assert (root / "usr/bin/tail").readlink() == Path("cat")
    entered = ["unshare", "--user", "--map-root-user", "chroot"]
    entered = ["/usr/sbin/chroot"] if os.geteuid() == 0 else entered
    argv = [*entered, str(root), "/usr/bin/sh", "-c"]
    script = "echo from inside > /tmp/said; cat /tmp/said; sleep 0; echo x | grep -c x"
    done = subprocess.run(
        [*argv, script], capture_output=True, text=True, check=False, timeout=30, env={"PATH": "/usr/bin"}
    )
    assert done.stdout == "from inside\n1\n", done.stderr


def test_a_machine_without_any_shell_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="need a shell"):
        machine_shell(search_path=str(tmp_path))
