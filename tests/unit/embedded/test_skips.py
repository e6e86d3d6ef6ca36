"""Skips that nobody allowed turn a run red."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.skips import allowed_skips, is_allowed

ROOT = Path(__file__).parents[3]


def test_comments_and_empty_lines_allow_nothing() -> None:
    assert allowed_skips("# a.py::test\n\ntests/b.py::test_x  # no kernel module\n") == {"tests/b.py::test_x"}


@pytest.mark.parametrize(
    ("nodeid", "allowed"),
    [
        ("tests/b.py::test_x", True),
        ("tests/b.py::test_x[1]", True),
        ("tests/b.py::test_xy", False),
        ("tests/bb.py::test_x", False),
    ],
)
def test_an_entry_allows_a_test_and_its_parameters_only(nodeid: str, allowed: bool) -> None:
    assert is_allowed(nodeid, frozenset({"tests/b.py::test_x"})) is allowed


def run_pytest(directory: Path, source: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_sample.py").write_text(source)
    (directory / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.plugins.skips"]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # ours alone, and quick to start
    return subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "body",
    [
        "import pytest\n@pytest.mark.skip(reason='later')\ndef test_a(): ...\ndef test_b(): ...",
        "import pytest\n@pytest.mark.xfail\ndef test_a(): assert False",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_a(): ...",
    ],
)
def test_a_run_with_an_unlisted_skip_fails_and_names_it(tmp_path: Path, body: str) -> None:
    done = run_pytest(tmp_path, body)
    assert done.returncode != 0
    assert "tests/allowed_skips.txt does not list" in done.stdout
    assert "test_sample.py" in done.stdout


def test_a_run_without_skips_stays_green(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, "def test_a(): ...").returncode == 0
