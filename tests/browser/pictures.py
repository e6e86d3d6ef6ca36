"""Takes the pictures of the documentation from a real demo: `python -m tests.browser.pictures [NAME …]`.

The demo runs in a temporary directory and goes away with it. Needs what the browser tests need; takes some minutes.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.plugins.polling import until
from tests.plugins.product import Product, running_product

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE = {"width": 1200, "height": 760}
SAMPLES_END_S = 300.0
STEPS_SEEN_MS = 60_000


def main(wanted: list[str]) -> None:
    """Run the demo until its samples have ended, and write the pictures, or those that are named."""
    with running_product("--demo") as product, sync_playwright() as playwright:
        product.wait_cluster()
        until("the samples have ended", lambda: _is_quiet(product), timeout_s=SAMPLES_END_S, every_s=1.0)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, (person, take) in PICTURES.items():
            if not wanted or name in wanted:
                page = _signed_in(browser, product, person)
                take(page, product)
                page.mouse.move(SIZE["width"] - 1, SIZE["height"] - 1)
                page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")
                page.context.close()
        browser.close()


def _is_quiet(product: Product) -> bool:
    waiting = "SELECT count(*) FILTER (WHERE ended_at IS NULL), count(*) FROM workloads_workload"
    active, made = product.sql(waiting)[0]
    return bool(made >= 10 and not active)


def _signed_in(browser: Browser, product: Product, person: str) -> Page:
    context = browser.new_context(base_url=product.url, viewport=SIZE, color_scheme="light", locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("Username or email").fill(person)
    page.get_by_label("Password").fill(product.accounts()[person])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{product.url}/")
    return page


def _address(product: Product, name: str) -> str:
    """Return the address of the newest workload of a name."""
    rows = product.sql("SELECT id FROM workloads_workload WHERE name = %s ORDER BY created DESC LIMIT 1", name)
    return f"/workloads/{rows[0][0]}/"


def _submit_training(page: Page) -> None:
    page.goto("/workloads/new/?tenant=vision&template=training-loop")
    page.locator("[name=name]").fill("train-mlp")


def home(page: Page, product: Product) -> None:
    page.goto("/")


def submit(page: Page, product: Product) -> None:
    _submit_training(page)
    expect(page.get_by_text("Starts now").first).to_be_visible()


def workload(page: Page, product: Product) -> None:
    _submit_training(page)
    page.get_by_role("button", name="Submit").locator("visible=true").first.click()
    page.wait_for_url("**/workloads/*-*/")
    expect(page.locator("h1 .chip-running")).to_be_visible(timeout=STEPS_SEEN_MS)
    _lines(page, 8)


def workload_log(page: Page, product: Product) -> None:
    page.goto(f"{_address(product, 'train-mlp')}logs/")
    _lines(page, 20)


def failed(page: Page, product: Product) -> None:
    page.goto(_address(product, "eats-memory"))
    _lines(page, 5)


def workload_list(page: Page, product: Product) -> None:
    page.goto("/workloads/?view=all")


def compare(page: Page, product: Product) -> None:
    one, other = (_address(product, name).split("/")[2] for name in ("train-spirals", "train-spirals-slow"))
    page.goto(f"/workloads/compare/?a={one}&b={other}")


def tenant(page: Page, product: Product) -> None:
    page.goto("/tenants/vision/")


def _lines(page: Page, count: int) -> None:
    """Wait until the log on the page shows this many lines."""
    expect(page.locator("#log-viewer .ln").nth(count - 1)).to_be_attached(timeout=STEPS_SEEN_MS)


Take = Callable[[Page, Product], None]
PICTURES: dict[str, tuple[str, Take]] = {
    "submit": ("dev", submit),
    "workload": ("dev", workload),
    "workload-log": ("dev", workload_log),
    "home": ("dev", home),
    "failed": ("dev", failed),
    "workload-list": ("dev", workload_list),
    "compare": ("dev", compare),
    "tenant": ("lead", tenant),
}


if __name__ == "__main__":
    main(sys.argv[1:])
