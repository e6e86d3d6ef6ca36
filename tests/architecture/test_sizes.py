"""No file over 400 lines, no function over 50 (manifest literals 80), no junk drawers, nothing half done."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE_LINES = 400
FUNCTION_LINES = 50
MANIFEST_LINES = 80
JUNK_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "info", "common", "misc"}
SUFFIXES = {".py", ".ts", ".go", ".html", ".css", ".sh"}
GENERATED = ("static/dist/", "/migrations/", "static/css/")


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [Path(line) for line in listing.splitlines()]
    return [path for path in paths if not any(part in f"/{path}" for part in GENERATED) and (ROOT / path).is_file()]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {
        str(path): lines
        for path in tracked()
        if path.suffix in SUFFIXES and (lines := len((ROOT / path).read_text().splitlines())) > FILE_LINES
    }
    assert long == {}


def test_no_function_is_longer_than_fifty_lines() -> None:
    long = [
        f"{path}:{name} {lines}"
        for path in tracked()
        if path.suffix == ".py"
        for name, lines in functions(path)
        if lines > (MANIFEST_LINES if path.stem == "manifests" or "kinds" in path.parts else FUNCTION_LINES)
    ]
    assert long == []


def test_no_module_is_a_junk_drawer() -> None:
    assert [str(path) for path in tracked() if path.stem in JUNK_NAMES] == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError"])
def test_nothing_is_left_half_done(word: str) -> None:
    here = Path(__file__).relative_to(ROOT)
    found = [
        str(path)
        for path in tracked()
        if path.suffix in SUFFIXES and path != here and word in (ROOT / path).read_text()
    ]
    assert found == []
