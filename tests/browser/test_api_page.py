"""The page that describes REST, and the comparison of two workloads, in a real browser."""

from playwright.sync_api import expect

from tests.browser.conftest import SignIn
from tests.browser.test_pages import problems_of
from tests.plugins.product import Product


def test_a_call_can_be_tried_on_the_page_of_the_api(sign_in: SignIn) -> None:
    page = sign_in("dev").page()
    page.goto("/api/docs/")
    operation = page.locator(".opblock-get", has=page.locator("[data-path='/api/v1/me/']"))
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    expect(operation.locator(".live-responses-table")).to_contain_text('"username": "dev"')


def test_two_runs_are_compared_side_by_side(sign_in: SignIn, demo: Product) -> None:
    dev = demo.person("dev")
    image = demo.image("busybox")
    ids = [dev.submit("vision", name=f"side-{n}", image=image, command=f"echo {n}") for n in range(2)]
    page = sign_in("dev").page()
    page.goto(f"/workloads/compare/?a={ids[0]}&b={ids[1]}")
    expect(page.get_by_role("row", name="Name").first).to_contain_text("side-1")
    assert problems_of(page, "the comparison") == []
