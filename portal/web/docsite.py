"""The site made of docs/: where it lies, how it is built, and which scripts its pages may run.

It is built without any network, once for each content, into the cache: nothing made is committed, and a started portal
finds what an earlier start has built. Needs no database.
"""

import base64
import fcntl
import functools
import hashlib
import html.parser
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from django.conf import settings

from portal import env

_HASHES_FILE = "script-hashes.json"
_PACKAGES = ("mkdocs", "mkdocs-material")
_BUILD_TIMEOUT_S = 120


class DocsBuildError(Exception):
    """The site cannot be built; the message is what the builder said."""


class _InlineScripts(html.parser.HTMLParser):
    """Collects the scripts that stand in a page and that a browser would run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: set[str] = set()
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._is_inside = tag == "script" and "src" not in given and given.get("type") in {None, "text/javascript"}

    def handle_endtag(self, tag: str) -> None:
        self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.found.add(data)


@functools.cache
def site_dir() -> Path:
    """Return where the site of the texts lies or will lie, by their content as it was when this process first asked."""
    return env.cache_dir() / "docs" / _content_key(settings.BASE_DIR)


def is_built(site: Path) -> bool:
    """Tell whether the site is whole: its list of scripts is written last."""
    return (site / _HASHES_FILE).is_file()


def script_hashes(site: Path) -> list[str]:
    """Return the sources of a script-src that let the site's own inline scripts run, and no others."""
    hashes: list[str] = json.loads((site / _HASHES_FILE).read_text(encoding="utf-8"))
    return hashes


def file_of(site: Path, path: str) -> Path | None:
    """Return what lies at a path of the site: a file, a directory that lacks its slash, or nothing outside the site."""
    wanted = (site / path / "index.html" if path.endswith("/") or not path else site / path).resolve()
    return wanted if wanted.exists() and wanted.is_relative_to(site.resolve()) else None


def build(site: Path, *, root: Path, strict: bool = False) -> None:
    """Build the site of a checkout in one step; one that is there already stays.

    Raises DocsBuildError with what the builder said, when strict also for a link that leads nowhere.
    """
    site.parent.mkdir(parents=True, exist_ok=True)
    with (site.parent / ".lock").open("w") as lock, tempfile.TemporaryDirectory(dir=site.parent) as directory:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built(site):
            return
        made = Path(directory) / "site"
        _run_builder(made, root=root, strict=strict)
        (made / _HASHES_FILE).write_text(json.dumps(_hashes_of(made)), encoding="utf-8")
        if site.exists():
            shutil.rmtree(site)
        made.rename(site)


def _run_builder(made: Path, *, root: Path, strict: bool) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(root / "mkdocs.yml")]
    # With --quiet it would not count complaints, and so never be strict.
    done = subprocess.run(
        [*command, "--site-dir", str(made), "--strict" if strict else "--no-strict"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_BUILD_TIMEOUT_S,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    if done.returncode:
        raise DocsBuildError((done.stderr + done.stdout).strip())


def _hashes_of(site: Path) -> list[str]:
    """Return the hashes of all inline scripts of all pages, as a script-src spells them."""
    scripts: set[str] = set()
    for page in site.rglob("*.html"):
        reader = _InlineScripts()
        reader.feed(page.read_text(encoding="utf-8"))
        scripts |= reader.found
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    return sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _content_key(root: Path) -> str:
    """Return a name for exactly these texts, their configuration and the builder's version."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    docs = sorted(path for path in (root / "docs").rglob("*") if path.is_file())
    for path in (root / "mkdocs.yml", Path(__file__), *docs):
        content = path.read_bytes()
        digest.update(f"{os.path.relpath(path, root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
