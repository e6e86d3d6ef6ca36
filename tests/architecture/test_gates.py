"""Lint, types, migrations, settings and texts, as tests so that one command runs them all."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def run(*argv: str) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def test_ruff_finds_nothing() -> None:
    run(str(BIN / "ruff"), "check", ".")


def test_the_formatter_changes_nothing() -> None:
    run(str(BIN / "ruff"), "format", "--check", ".")


@pytest.mark.timeout(600)
def test_mypy_strict_finds_nothing() -> None:
    run(str(BIN / "mypy"), "portal", "tenants", "gpu", "workloads", "quotarequests", "tests", "manage.py")


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_deployment_check_warns_of_nothing() -> None:
    run(
        "env",
        "BERTH_PUBLIC_URL=https://berth.example",
        sys.executable,
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
    )


def test_no_tracked_file_names_a_machine_path_or_a_registry_host() -> None:
    done = subprocess.run(
        [
            "git",
            "grep",
            "-InE",
            r"(^|[^a-z])/(root|work|farm)/|https?://[a-z0-9.-]*(pythonhosted|npmjs|golang|crates|maven)[a-z0-9.-]*",
            "--",
            ".",
            ":!static/dist",
            ":!LICENSE*",
            f":!{Path(__file__).relative_to(ROOT)}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@pytest.mark.timeout(600)
def test_the_front_end_is_typed_tested_and_built_as_committed() -> None:
    run("npm", "ci", "--no-audit", "--no-fund")
    run("npm", "run", "check")
    run("npm", "test")
