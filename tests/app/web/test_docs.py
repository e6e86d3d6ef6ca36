"""The documentation: it builds without a complaint, and is served under a policy that fits it."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from portal.core.models import User
from portal.web import docsite

SignedIn = Callable[[User], Client]
ROOT = settings.BASE_DIR


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real site, built as the product builds it."""
    place = tmp_path_factory.mktemp("docs") / "abc"
    docsite.build(place, root=ROOT, strict=True)
    return place


@pytest.fixture
def reader(site: Path, owner: User, client_of: SignedIn, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Somebody who is signed in where the site is built."""
    monkeypatch.setattr(docsite, "site_dir", lambda: site)
    return client_of(owner)


def test_the_site_builds_strictly_and_names_no_other_host_to_load_from(site: Path) -> None:
    loaded = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"']?(?:https?:)?//[^>]+>")
    found = [f"{page.relative_to(site)}: {loaded.findall(page.read_text())}" for page in site.rglob("*.html")]
    assert [line for line in found if not line.endswith("[]")] == []


def test_no_page_carries_a_style_that_its_policy_refuses(site: Path) -> None:
    carried = re.compile(r"<style\b|\sstyle=[\"']")
    found = [str(page.relative_to(site)) for page in site.rglob("*.html") if carried.search(page.read_text())]
    assert found == []


def test_pages_and_files_are_served_to_whoever_is_signed_in(reader: Client) -> None:
    start = reader.get("/docs/")
    assert start.status_code == 200
    assert start["Content-Type"] == "text/html"
    style = re.search(rb'href="(assets/stylesheets/main\.[^"]+)"', start.content)
    assert style
    assert reader.get(f"/docs/{style[1].decode()}")["Content-Type"] == "text/css"
    assert reader.get("/docs/users/first-job/").status_code == 200
    assert reader.get("/docs/users/first-job")["Location"] == "/docs/users/first-job/"


def test_the_policy_lets_the_inline_scripts_of_these_pages_run_and_no_others(reader: Client) -> None:
    policy = reader.get("/docs/")["Content-Security-Policy"]
    script_src = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'self' 'sha256-" in script_src
    assert "unsafe" not in policy
    assert "style-src 'self'" in policy


def test_an_unchanged_page_is_not_sent_again_and_keeps_its_policy(reader: Client) -> None:
    whole = reader.get("/docs/")
    again = reader.get("/docs/", headers={"If-None-Match": whole["ETag"]})
    assert again.status_code == 304
    assert again["Content-Security-Policy"] == whole["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["no-such-page/", "no-such-file.js", "..%2f..%2fmkdocs.yml", "%2fetc%2fpasswd"])
def test_what_is_not_of_the_site_is_missing(reader: Client, path: str) -> None:
    assert reader.get(f"/docs/{path}").status_code == 404


def test_somebody_who_is_not_signed_in_is_sent_to_do_so(site: Path, client: Client) -> None:
    answer = client.get("/docs/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_while_it_is_not_built_the_page_says_so(
    owner: User, client_of: SignedIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docsite, "site_dir", lambda: tmp_path / "nothing")
    answer = client_of(owner).get("/docs/users/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "is being built" in answer.content.decode()


def test_the_command_builds_once_and_prints_where(tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "build_docs"]
    env = {"PATH": "/usr/bin:/bin", "BERTH_CACHE_DIR": str(tmp_path), "BERTH_DATA_DIR": str(tmp_path)}
    told = [subprocess.check_output(command, cwd=ROOT, env=env, text=True).strip() for _ in range(2)]
    made = Path(told[0])
    assert told[0] == told[1]
    assert made.parent == tmp_path / "docs"
    assert docsite.is_built(made)
    assert [path.name for path in made.parent.iterdir() if path.name != ".lock"] == [made.name]


def test_a_link_that_leads_nowhere_fails_a_strict_build_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: x\n")
    with pytest.raises(docsite.DocsBuildError, match=r"gone\.md"):
        docsite.build(tmp_path / "site", root=tmp_path, strict=True)
    assert not (tmp_path / "site").exists()
    docsite.build(tmp_path / "site", root=tmp_path)
    assert docsite.is_built(tmp_path / "site")
