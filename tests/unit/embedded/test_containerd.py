"""Which containerd of a machine will do."""

from pathlib import Path

import pytest

from portal.embedded.cluster import containerd


def install(directory: Path, said: str, *programs: str) -> None:
    for name in programs:
        (directory / name).write_text(f"#!/bin/sh\necho '{said}'\n")
        (directory / name).chmod(0o755)


@pytest.mark.parametrize(
    ("said", "will_do"),
    [
        ("containerd github.com/containerd/containerd/v2 v2.4.2 abcdef", True),
        ("containerd github.com/containerd/containerd/v2 2.1.4~ds2 2.1.4~ds2-8", True),
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u1", False),
        ("something else", False),
    ],
)
def test_a_containerd_of_the_machine_will_do_from_version_2_on(tmp_path: Path, said: str, will_do: bool) -> None:
    install(tmp_path, said, *containerd.PROGRAMS)
    assert containerd.on_machine(search_path=str(tmp_path)) == (tmp_path / "containerd" if will_do else None)


def test_one_without_its_shim_or_client_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path, "containerd v2.4.2", "containerd", "ctr")
    assert containerd.on_machine(search_path=str(tmp_path)) is None


def test_one_that_does_not_run_here_is_passed_over(tmp_path: Path) -> None:
    for name in containerd.PROGRAMS:
        (tmp_path / name).write_bytes(b"no program")
        (tmp_path / name).chmod(0o755)
    assert containerd.on_machine(search_path=str(tmp_path)) is None
