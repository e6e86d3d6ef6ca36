"""The list and the palette in a real browser: by keyboard alone, without scripts, and how much a first load weighs."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SignIn
from tests.browser.test_pages import problems_of
from tests.plugins.product import Product

MOST_KIB = 200
PAGES = (
    "/",
    "/workloads/?view=all",
    "/workloads/new/",
    "/workloads/filters/",
    "/search/?q=a",
    "/help/",
    "/tenants/vision/",
)
WEIGHT = """() => [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""


@pytest.fixture(scope="module")
def waiting(demo: Product) -> list[str]:
    """Two workloads of vision that have ended, and so stay as they are."""
    dev = demo.person("dev")
    ids = [dev.submit("vision", name=f"listed-{n}", image=demo.image("busybox"), command="sleep 900") for n in range(2)]
    for workload in ids:
        dev.cancel(workload)
    return ids


@pytest.mark.parametrize("path", PAGES)
def test_a_first_load_weighs_little(sign_in: SignIn, path: str) -> None:
    page = sign_in("dev").page()
    page.goto(path, wait_until="networkidle")
    weight_kib = page.evaluate(WEIGHT) / 1024
    assert 0 < weight_kib <= MOST_KIB


def test_the_palette_leads_to_a_workload_by_keyboard_alone(sign_in: SignIn, waiting: list[str]) -> None:
    page = sign_in("dev").page()
    page.goto("/help/")
    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search everything")
    expect(field).to_be_focused()
    page.keyboard.type(waiting[1])  # by its id: another test makes copies of the same name
    option = page.locator("#palette [role=option]", has_text="listed-1").first
    expect(option).to_have_attribute("aria-selected", "true")
    assert problems_of(page, "the palette") == []
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/workloads/{waiting[1]}/")


def test_escape_closes_the_palette_and_a_question_mark_opens_help(sign_in: SignIn) -> None:
    page = sign_in("dev").page()
    page.goto("/")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.locator("main").focus()
    page.keyboard.press("?")
    page.wait_for_url("**/help/")


def test_new_pages_of_the_list_hold_no_violation(sign_in: SignIn, waiting: list[str]) -> None:
    page, found = sign_in("dev").page(), []
    ids = "&".join(f"ids={one}" for one in waiting)
    for path in (f"/workloads/bulk/?act=clone&{ids}", f"/workloads/bulk/?act=cancel&{ids}", *PAGES[3:6]):
        page.goto(path)
        found += problems_of(page, path)
    page.goto("/workloads/?view=all")
    page.locator("input[name=ids]").first.check()
    page.locator("#columns summary").click()
    assert found + problems_of(page, "the list with a row ticked and its columns open") == []


def select_and_clone(page: Page, ids: list[str]) -> None:
    page.goto("/workloads/?view=all&q=listed")
    for one in ids:
        page.locator(f"input[name=ids][value='{one}']").check()
    page.get_by_role("button", name="Submit again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Submit 2 workloads again?")
    page.get_by_role("button", name="Submit 2 workloads").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 of 2 done")


def test_several_are_submitted_again_and_cancelled_without_scripts(
    chromium: Browser, demo: Product, sign_in: SignIn, waiting: list[str]
) -> None:
    state = sign_in("dev").context.storage_state()
    context = chromium.new_context(base_url=demo.url, java_script_enabled=False, storage_state=state, locale="en-GB")
    page = context.new_page()
    select_and_clone(page, waiting)
    page.goto("/workloads/?view=mine-active&q=listed")
    boxes = page.locator("input[name=ids]")
    for n in range(boxes.count()):
        boxes.nth(n).check()
    page.get_by_role("button", name="Cancel…").click()
    page.locator("main form button").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("done")
    context.close()
    left = (
        "SELECT count(*) FROM workloads_workload WHERE name LIKE 'listed-%%' AND desired = 'run' AND ended_at IS NULL"
    )
    assert demo.sql(left) == [(0,)]
