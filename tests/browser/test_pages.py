"""Every page as people with other eyes and other hands use it: axe in both themes and two widths, and the keyboard."""

import contextlib
import gzip
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import RequestFactory
from playwright.sync_api import Page, Request, expect

from portal.web import faults
from tests.browser.conftest import OpenBrowser, SignIn, Watched
from tests.plugins.polling import until
from tests.plugins.product import Product
from tests.plugins.sitemap import PAGES

WIDTHS = (1280, 390)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ENDED = ("done", "fails", "eats-memory", "stopped", "tries-twice")
TENANT = "speech"  # the outsider's: what waits here keeps nobody else waiting
MOST_KB = 200

Stock = dict[str, str]


@pytest.fixture(scope="module")
def stock(demo: Product) -> Iterator[Stock]:
    """Paths of workloads in every state: those of vision have ended, the outsider's run and wait."""

    dev, busybox, python = demo.person("dev"), demo.image("busybox"), demo.image("python")
    ended = {
        "done": dev.submit("vision", name="done", image=busybox, command="sh -c 'echo one; sleep 1; echo two'"),
        "fails": dev.submit("vision", name="fails", image=busybox, command="sh -c 'echo no file; sleep 1; exit 3'"),
        "eats-memory": dev.submit(
            "vision", name="eats-memory", image=python, script="held = 'x' * 10**9\n", command=""
        ),
        "stopped": dev.submit("vision", name="stopped", image=busybox, command="sleep 900"),
        "tries-twice": dev.submit("vision", name="tries-twice", image=busybox, command="false", retries="1"),
    }
    dev.cancel(ended["stopped"])
    guest = demo.person("guest")
    image = demo.image("busybox")
    running = guest.submit(TENANT, name="running", image=image, command="sh -c 'echo one; sleep 900'")
    waiting = guest.submit(TENANT, name="waiting", image=image, command="sleep 1", cpu_millicores="1")
    until("it runs", lambda: "chip-running" in guest.get(f"/workloads/{running}/").text, timeout_s=120)
    until("it waits for quota", lambda: "limit is reached" in guest.get(f"/workloads/{waiting}/").text, timeout_s=60)
    rest = "SELECT count(*) FROM workloads_workload WHERE ended_at IS NULL AND id = ANY(%s::uuid[])"
    until("the rest has ended", lambda: demo.sql(rest, [*ended.values()]) == [(0,)], timeout_s=120, every_s=0.5)
    yield {name: f"/workloads/{found}/" for name, found in {**ended, "running": running, "waiting": waiting}.items()}
    for workload in (running, waiting):
        guest.cancel(workload)


# A colour on its way to another is nobody's choice: a slow machine would be told of it.
_SETTLE = """for (const moving of document.getAnimations()) { try { moving.finish() } catch { moving.cancel() } }"""


def problems_of(page: Page, where: str, *, widths: Sequence[int] = WIDTHS) -> list[str]:
    """Return what is wrong with the page that is open: axe's findings, and width beyond the window."""
    found: list[str] = []
    page.evaluate(Axe().axe_script)
    for width in widths:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.evaluate(_SETTLE)
        found += [f"{where} at {width}, light: {text}" for text in _violations(page, {"type": "tag", "values": WCAG})]
        page.emulate_media(color_scheme="dark")  # changes colours and nothing else
        page.evaluate(_SETTLE)
        colours = {"type": "rule", "values": ["color-contrast"]}
        found += [f"{where} at {width}, dark: {text}" for text in _violations(page, colours)]
        beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if beyond > 0:
            found.append(f"{where} at {width}: {beyond} px wider than the window")
    return found


def _violations(page: Page, rules: dict[str, Any]) -> Iterator[str]:
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    for violation in page.evaluate("async options => (await axe.run(options)).violations", options):
        for node in violation["nodes"]:
            target = " ".join(str(part) for part in node["target"])
            # Line numbers are 20 px high; "Copy link" in the log's foot is the equal control.
            if violation["id"] == "target-size" and node["html"].startswith('<a href="#L'):
                continue
            yield f"{violation['id']}: {target} {node['html'][:160]}"


def problems_on(watched: Watched, *paths: str, status: int = 200) -> list[str]:
    watched.expected.add(status)
    page, found = watched.page(), []
    for path in paths:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, f"{path}: {answer.status}"
        found += problems_of(page, path)
    page.close()
    return found


def test_pages_of_somebody_at_work(sign_in: SignIn, stock: Stock) -> None:
    paths = ["/", "/workloads/", "/workloads/?view=all", "/workloads/?view=all&q=no-such-thing", "/tenants/speech/"]
    paths += [stock["waiting"], *(f"{stock['running']}{tab}" for tab in ("", "logs/", "pods/", "events/", "yaml/"))]
    assert problems_on(sign_in("guest"), *paths) == []


def test_pages_of_work_that_has_ended(sign_in: SignIn, stock: Stock) -> None:
    paths = [*(stock[name] for name in ENDED), f"{stock['tries-twice']}pods/", f"{stock['fails']}logs/"]
    assert problems_on(sign_in("dev"), *paths) == []


def test_forms_empty_filled_and_with_complaints(sign_in: SignIn, stock: Stock) -> None:
    dev = sign_in("dev")
    source = stock["fails"].split("/")[2]
    paths = [
        "/workloads/new/",
        "/workloads/new/?template=training-loop",
        f"/workloads/new/?tenant=vision&from={source}",
    ]
    found = problems_on(dev, *paths, "/accounts/password/change/")
    dev.expected.add(400)
    page = dev.page()
    page.goto("/workloads/new/?template=python-script")
    page.locator("[name=name]").fill("Not A Name")
    page.locator("[name=cpu_millicores]").fill("999")
    page.get_by_role("button", name="Submit").locator("visible=true").first.click()
    expect(page.locator(".field-errors").first).to_be_visible()
    assert found + problems_of(page, "the form with complaints") == []


def test_pages_of_those_who_run_the_platform(sign_in: SignIn, demo: Product, stock: Stock) -> None:
    admin = sign_in("admin")
    found = problems_on(
        admin,
        *("/", "/tenants/", "/tenants/new/", "/tenants/vision/", "/tenants/vision/edit/"),
        *("/users/", "/users/?q=no-such-person", "/users/new/"),
        *("/quotas/?type=gpus", "/quotas/?edit=*", "/quotas/?q=no-such-tenant"),
    )
    page = admin.page()
    page.goto("/quotas/?type=pods&edit=vision")
    page.locator("[name='vision.pods.nominal']").fill("41")
    page.get_by_role("button", name="Preview changes").click()
    expect(page.get_by_role("button", name="Change the quotas")).to_be_visible()
    found += problems_of(page, "a preview of quotas")
    found += problems_on(sign_in("lead"), "/tenants/vision/")
    assert found == []


def test_pages_of_ones_own_account(sign_in: SignIn) -> None:
    viewer = sign_in("viewer")
    found = problems_on(viewer, "/profile/", "/profile/tokens/")
    page = viewer.page()
    page.goto("/profile/tokens/")
    page.get_by_label("Name").fill("from a browser")
    page.get_by_role("button", name="Make the token").click()
    expect(page.locator("#token-key")).to_contain_text("berth_")
    found += problems_of(page, "a token's key")
    page.get_by_role("button", name="Revoke").click()
    page.locator("[data-dialog-yes]").click()
    expect(page.get_by_text("The token is revoked")).to_be_visible()
    assert found == []


def test_an_account_is_made_and_its_owner_sets_a_password(sign_in: SignIn, open_browser: OpenBrowser) -> None:
    page = sign_in("admin").page()
    page.goto("/users/new/")
    page.get_by_label("User name").fill("newcomer")
    page.get_by_role("button", name="Make the account").click()
    link = page.locator("#secret-link").inner_text()
    found = problems_of(page, "a link to set the password")
    newcomer = open_browser().page()
    newcomer.goto(link)
    found += problems_of(newcomer, "set the password")
    for label in ("New password", "New password again"):
        newcomer.get_by_label(label, exact=True).fill("a phrase of newcomers")
    newcomer.get_by_role("button", name="Set password").click()
    newcomer.get_by_label("Username or email").fill("newcomer")
    newcomer.get_by_label("Password").fill("a phrase of newcomers")
    newcomer.get_by_role("button", name="Sign in").click()
    expect(newcomer.get_by_role("heading", level=1)).to_have_text("Home")
    assert found == []


class Weigher:
    """Weighs pages as a first visit loads them: each body compressed, whatever the server or a cache did."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def open(self, page: Page, path: str) -> float:
        """Open a page and return its weight in KB (1,000 bytes)."""
        asked: list[str] = []

        def note(request: Request) -> None:
            asked.append(request.url)

        page.on("request", note)
        answer = page.goto(path)
        page.remove_listener("request", note)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        others = [url for url in dict.fromkeys(asked) if url.startswith("http") and url != answer.url]
        return (_compressed(answer.body()) + sum(self._weight(page, url) for url in others)) / 1000

    def _weight(self, page: Page, url: str) -> int:
        if url not in self._known:
            self._known[url] = _compressed(page.request.get(url).body())
        return self._known[url]


def _compressed(body: bytes) -> int:
    return len(gzip.compress(body, mtime=0))


@pytest.fixture
def every_page(demo: Product, stock: Stock) -> list[tuple[str, str]]:
    """Who opens which address, for each page that there is."""
    user = str(demo.sql("SELECT id FROM core_user WHERE username = 'dev'")[0][0])
    shipped = "SELECT id FROM workloads_template WHERE tenant_id IS NULL AND slug = 'python-script'"
    ids = {"user": user, "workload": stock["fails"].split("/")[2], "template": str(demo.sql(shipped)[0][0])}
    ids["request"] = demo.person("dev").ask_for_quota("vision", gpus="3")
    return [(who, path.format(**ids)) for who, path in PAGES.values()]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("zh-hans", 390)])
def test_every_page_in_both_languages_and_themes_and_none_is_heavy(
    every_page: list[tuple[str, str]], sign_in: SignIn, nobody: Watched, demo: Product, language: str, width: int
) -> None:
    weigher, weights, found = Weigher(), {}, []
    for who in dict.fromkeys(who for who, _path in every_page):
        watched = sign_in(who, width=width) if who else nobody
        watched.context.add_cookies([{"name": "berth-language", "value": language, "url": demo.url}])
        page = watched.page()
        for path in [path for opener, path in every_page if opener == who]:
            weights[path] = weigher.open(page, path)
            expect(page.locator("html")).to_have_attribute("lang", language)
            found += problems_of(page, f"{path} in {language}", widths=(width,))
        page.close()
    heaviest = sorted(weights.items(), key=lambda each: -each[1])
    sys.stdout.writelines(f"{weight:6.1f} KB {path}\n" for path, weight in heaviest)
    assert found == []
    assert max(weights.values()) <= MOST_KB


def test_a_state_is_told_in_chinese(sign_in: SignIn, stock: Stock, demo: Product) -> None:
    dev = sign_in("dev")
    dev.context.add_cookies([{"name": "berth-language", "value": "zh-hans", "url": demo.url}])
    page = dev.page()
    page.goto(stock["fails"])
    expect(page.locator("h1 .chip")).to_have_text("已失败")


def test_pages_without_an_account(sign_in: SignIn, nobody: Watched) -> None:
    found = problems_on(nobody, "/accounts/login/")
    page = nobody.page()
    page.goto("/accounts/login/")
    page.get_by_label("Username or email").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found += problems_of(page, "a refused sign-in")
    found += problems_on(nobody, "/no-such-page/", status=404)
    dev = sign_in("dev")
    found += problems_on(dev, "/no-such-page/", status=404)
    found += problems_on(dev, "/tenants/new/", status=403)
    assert found == []


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 429, 500, 503])
def test_error_pages(nobody: Watched, status: int) -> None:
    drawn = faults.page(RequestFactory().get("/"), status).content.decode()
    page = nobody.page()
    nobody.expected.add(status)
    page.route("**/fault/", lambda route: route.fulfill(status=status, body=drawn, content_type="text/html"))
    page.goto("/fault/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert problems_of(page, f"error {status}") == []


@contextlib.contextmanager
def cluster_said(demo: Product, reached_ago: str | None) -> Iterator[None]:
    """Hold the controller still, and have the status row say something else, until it says the truth again."""
    pid = demo.pid("controller")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        demo.sql("UPDATE core_clusterstatus SET reachable_at = now() - %s::interval", reached_ago)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        until("the cluster is in step", lambda: demo.ready().get("state") == "ok", timeout_s=60)


@pytest.mark.parametrize(
    ("reached_ago", "banner"),
    [("1 hour", "#cluster-stale"), (None, "#cluster-absent")],
    ids=["stale", "absent"],
)
def test_a_cluster_that_is_away_is_told_on_every_page(
    demo: Product, sign_in: SignIn, reached_ago: str | None, banner: str
) -> None:
    dev = sign_in("dev")
    page = dev.page()
    with cluster_said(demo, reached_ago):
        for path in ("/", "/workloads/", "/workloads/new/"):
            page.goto(path)
            expect(page.locator(banner)).to_be_visible()
        found = problems_of(page, banner)
    assert found == []
    expect(page.locator(banner)).to_have_count(0, timeout=60_000)  # and goes by itself when it is over
