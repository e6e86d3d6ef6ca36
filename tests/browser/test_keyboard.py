"""Everything by keyboard alone: the main job, the palette, the log; focus is always seen, and Escape leads back."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn, Watched
from tests.plugins.polling import until
from tests.plugins.product import Product

MOST_TABS = 120

# What has the focus, and whether its look says so: by an outline of its own, or of the box that it stands in.
FOCUS = """() => {
  const marked = (node) => {
    const style = getComputedStyle(node);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  const box = focused.closest(".find, .tile");
  return { what: focused.outerHTML.slice(0, 120), seen: marked(focused) || (box !== null && marked(box)) };
}"""


@pytest.fixture(scope="module")
def logged(demo: Product) -> str:
    """The path of a workload that has ended and wrote three lines."""
    dev = demo.person("dev")
    command = "sh -c 'echo first; echo second; echo first again'"
    workload = dev.submit("vision", name="three-lines", image=demo.image("busybox"), command=command)
    sealed = "SELECT log_sealed FROM workloads_workload WHERE id = %s"
    until("its log is closed", lambda: demo.sql(sealed, workload) == [(True,)], timeout_s=120, every_s=0.5)
    return f"/workloads/{workload}/"


def focus_by_tab(page: Page, selector: str) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return
    pytest.fail(f"{selector} is not reached by {MOST_TABS} presses of Tab")


def test_the_main_job_needs_no_mouse(demo: Product, nobody: Watched) -> None:
    page = nobody.page()
    page.goto("/accounts/login/")
    focus_by_tab(page, "[name=login]")
    page.keyboard.type("guest")
    focus_by_tab(page, "[name=password]")
    page.keyboard.type(demo.accounts()["guest"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo.url}/")
    focus_by_tab(page, ".navbar a[href='/workloads/new/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workloads/new/")
    focus_by_tab(page, "#template-shell-command")
    page.keyboard.press("Enter")
    expect(page.locator("#template-shell-command")).to_have_attribute("aria-current", "true")
    focus_by_tab(page, "[name=command]")
    page.keyboard.press("Control+a")
    page.keyboard.type("sleep 600")
    focus_by_tab(page, "#submit-button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/workloads/*-*/")
    expect(page.locator("h1 .chip")).to_be_visible()
    focus_by_tab(page, "#cancel")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-dialog")).to_be_visible()
    focus_by_tab(page, "[data-dialog-yes]")
    page.keyboard.press("Enter")
    expect(page.locator("h1 .chip-cancelled")).to_be_visible(timeout=60_000)
    page.close()


def unseen_stops(page: Page) -> list[str]:
    """Press Tab through the whole page and return what had the focus without showing it."""
    found = []
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus is None:
            break
        if not focus["seen"]:
            found.append(focus["what"])
    return found


def test_what_has_the_focus_shows_it_and_no_page_changes_the_order(sign_in: SignIn, logged: str) -> None:
    page = sign_in("dev").page()
    for path in ("/", "/workloads/?view=all", "/workloads/new/?template=python-script", logged, f"{logged}events/"):
        page.goto(path)
        assert unseen_stops(page) == [], path
        assert page.locator("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").count() == 0, path


def test_the_first_stop_skips_to_the_content(sign_in: SignIn) -> None:
    page = sign_in("dev").page()
    page.goto("/workloads/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_palette_opens_goes_and_closes_by_keys(sign_in: SignIn, logged: str) -> None:
    page = sign_in("dev").page()
    page.goto("/")
    focus_by_tab(page, "a[data-palette]")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    expect(page.locator("a[data-palette]")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("three-lines")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("three-lines")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{logged}")


def test_the_log_is_searched_followed_and_left_by_keys(sign_in: SignIn, logged: str) -> None:
    page = sign_in("dev").page()
    page.goto(f"{logged}logs/")
    expect(page.locator("#log-viewer [data-link]")).to_contain_text("Complete")
    page.keyboard.press("/")
    expect(page.locator("[data-find]")).to_be_focused()
    page.keyboard.type("first")
    expect(page.locator("[data-hits]")).to_have_text("2 of 2")
    page.keyboard.press("Enter")
    expect(page.locator("[data-hits]")).to_have_text("1 of 2")
    page.keyboard.press("Escape")
    expect(page.locator("#log-viewer .lines")).to_be_focused()
    expect(page.locator("[data-hits]")).to_have_text("")
    focus_by_tab(page, ".ln > a")
    page.keyboard.press("Enter")
    expect(page.locator(".ln.linked")).to_have_count(1)
    expect(page.locator("[data-copy-line]")).to_be_visible()


def test_a_log_is_narrowed_by_keys_and_shown_whole_again_at_its_line(sign_in: SignIn, logged: str) -> None:
    page = sign_in("dev").page()
    page.goto(f"{logged}logs/")
    focus_by_tab(page, "[data-find]")
    page.keyboard.type("FIRST")
    focus_by_tab(page, ".log-find button:not([type=button])")
    page.keyboard.press("Enter")
    page.wait_for_url("**/logs/?q=FIRST*")
    expect(page.locator(".ln:visible")).to_have_count(2)
    page.locator(".ln > a").last.press("Enter")
    focus_by_tab(page, "[data-all-lines]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/logs/#L3")
    expect(page.locator(".ln:visible")).to_have_count(3)
    expect(page.locator("#L3")).to_have_class("ln linked")


def test_escape_closes_a_question_and_gives_the_focus_back(sign_in: SignIn, demo: Product) -> None:
    page = sign_in("dev").page()
    page.goto("/profile/tokens/")
    page.get_by_label("Name").fill("for the keyboard")
    page.get_by_label("Name").press("Enter")
    revoke = page.get_by_role("button", name="Revoke").first
    expect(revoke).to_be_visible()
    revoke.press("Enter")
    expect(page.locator("#confirm-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm-dialog")).to_be_hidden()
    expect(revoke).to_be_focused()
    revoke.press("Enter")
    focus_by_tab(page, "[data-dialog-yes]")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The token is revoked")).to_be_visible()
