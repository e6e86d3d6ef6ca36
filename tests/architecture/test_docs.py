"""Every page of the documentation can be found in its navigation. Whether its links lead anywhere: tests/app/web."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def pages_of(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for below in entry if isinstance(entry, list) else entry.values():
            yield from pages_of(below)


def test_each_page_stands_in_the_navigation_of_mkdocs_yml() -> None:
    listed = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    there = [str(page.relative_to(DOCS)) for page in sorted(DOCS.rglob("*.md"))]
    assert sorted(listed) == there, "give each page of docs/ a line under `nav` in mkdocs.yml"


def test_each_changelog_fragment_is_of_a_kind_that_towncrier_reads() -> None:
    towncrier = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in towncrier["type"]}
    fragments = [path.name for path in (ROOT / "changes").glob("*.md")]
    assert fragments
    assert [name for name in fragments if name.split(".")[1] not in kinds] == []
