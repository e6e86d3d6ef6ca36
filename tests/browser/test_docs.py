"""The documentation as people read it: on a phone and a screen, in both themes, its search, and the way back."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.test_pages import problems_of
from tests.plugins.polling import until
from tests.plugins.product import Product

PAGES = ("/docs/", "/docs/users/first-job/", "/docs/operators/start/", "/docs/api/workloads/", "/docs/guarantees/")


def test_the_documentation_reads_well_and_searches_without_any_other_host(demo: Product, sign_in: SignIn) -> None:
    dev = sign_in("dev")
    dev.expected.add(503)
    page, found = dev.page(), []
    until("the documentation is built", lambda: _status(page, "/docs/") == 200, timeout_s=60)
    page.goto("/help/")
    page.get_by_role("main").get_by_role("link", name="Documentation").click()
    expect(page).to_have_url(f"{demo.url}/docs/")
    for path in PAGES:
        page.goto(path)
        found += problems_of(page, path)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.keyboard.press("/")
    page.keyboard.type("exit code")
    expect(page.locator(".md-search-result__link").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Berth").first.click()
    expect(page).to_have_url(f"{demo.url}/")
    assert found == []


def _status(page: Page, path: str) -> int:
    answer = page.goto(path)
    return answer.status if answer else 0
