"""How a child stops being root, with and without user namespaces. Root alone can try it; others never need it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded.layout import ROOT
from portal.embedded.tether import tethered

WITHOUT_NAMESPACES = """
import ctypes, os, sys
from portal.embedded import childexec
childexec.keep_file_rights(ctypes.CDLL(None, use_errno=True))
os.execvp("sh", ["sh", "-c", sys.argv[1]])
"""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file that only its owner, who runs these tests, can read."""
    path = tmp_path / "secret"
    path.write_text("hidden\n")
    path.chmod(0o600)
    return path


def said_by(command: list[str]) -> list[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_child_that_leaves_root_still_reads_what_its_parent_reads(secret: Path) -> None:
    script = f"id -u; cat {secret}"
    uid, text = said_by(tethered(["sh", "-c", script], leave_root=True))
    assert int(uid) == (65534 if os.geteuid() == 0 else os.geteuid())
    assert text == "hidden"


def test_where_user_namespaces_are_forbidden_nobody_keeps_only_the_rights_over_files(secret: Path) -> None:
    if os.geteuid() != 0:
        assert said_by(tethered(["id", "-u"], leave_root=True)) == [str(os.geteuid())]
        return
    script = f"id -u; cat {secret}; grep CapEff /proc/self/status"
    assert said_by([sys.executable, "-c", WITHOUT_NAMESPACES, script]) == [
        "65534",
        "hidden",
        "CapEff:",
        "000000000000000e",
    ]


def test_a_program_that_is_not_there_is_told_in_words() -> None:
    done = subprocess.run(tethered(["/no/such/program"]), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 126
    assert done.stderr.startswith("cannot start /no/such/program:")
    assert "Traceback" not in done.stderr
