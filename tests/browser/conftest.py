"""A real Chromium that must not complain: any console error and any request to another host fails the test."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.plugins.product import Product

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/browser/" in str(item.path):
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for a module: while it lives its driver's event loop runs in this thread, and async tests cannot."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A browser context and what it had to complain of."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.complaints: list[str] = []
        self.expected: set[int] = set()

    def page(self) -> Page:
        """Open a tab whose console errors, failed pages and foreign requests are noted."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("request", self._request)
        return page

    def _console(self, message: Any) -> None:
        if message.type != "error":
            return
        if any(f"status of {status}" in message.text for status in self.expected):
            return
        self.complaints.append(f"console: {message.text} {message.location.get('url', '')}")

    def _request(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(self.url).netloc:
            self.complaints.append(f"request to another host: {request.url}")


OpenBrowser = Callable[..., Watched]
SignIn = Callable[..., Watched]


@pytest.fixture
def product(request: pytest.FixtureRequest) -> Product:
    """The installation that browsers open: the demo, or the one whose fixture a test names by `indirect`."""
    found: Product = request.getfixturevalue(getattr(request, "param", "demo"))
    return found


@pytest.fixture
def open_browser(chromium: Browser, product: Product) -> Iterator[OpenBrowser]:
    """Return a function that opens a browser without an account; at the end nothing may have complained."""
    opened: list[Watched] = []

    def open_it(*, width: int = 1280, scheme: Any = "light") -> Watched:
        context = chromium.new_context(
            base_url=product.url, viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB"
        )
        context.set_default_timeout(30_000)
        opened.append(Watched(context, product.url))
        return opened[-1]

    yield open_it
    complaints = [complaint for watched in opened for complaint in watched.complaints]
    for watched in opened:
        watched.context.close()
    assert complaints == []


@pytest.fixture
def nobody(open_browser: OpenBrowser) -> Watched:
    """A browser of somebody who has not signed in."""
    return open_browser()


@pytest.fixture
def sign_in(open_browser: OpenBrowser, product: Product) -> SignIn:
    """Return a function that opens a browser as one of the demo's people."""

    def open_as(name: str, *, width: int = 1280, scheme: Any = "light") -> Watched:
        watched = open_browser(width=width, scheme=scheme)
        page = watched.page()
        page.goto("/accounts/login/")
        page.get_by_label("Username or email").fill(name)
        page.get_by_label("Password").fill(product.accounts()[name])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{product.url}/")
        page.close()
        return watched

    return open_as
