"""An administrator lowers a quota and sets shares in the browser, while work runs: what stops, waits and starts."""

import json
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.test_main_job import RUN_TIMEOUT_MS, expect_state, on_both_nodes
from tests.browser.test_pages import problems_of
from tests.cluster.test_jobs_end import wait_state
from tests.cluster.test_quota_on_the_node import limits
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

pytestmark = pytest.mark.timeout(300)
QUIET_S = 60
PATIENT = "import time\nprint('here I am', flush=True)\ntime.sleep(600)\n"
Submit = Callable[[str], str]


@pytest.fixture
def two_gpus(product: Product) -> Iterator[Person]:
    """Vision has two GPUs and no shares; both is so again afterwards, and nothing runs."""
    admin = product.person("admin")
    before = limits(product, "vision")
    assert admin.post("/tenants/vision/edit/", {**before, "gpus-nominal": "2"}).status_code == 302
    yield admin
    for (workload,) in product.sql("SELECT id::text FROM workloads_workload WHERE name LIKE 'patient-%%'"):
        admin.cancel(workload)
        wait_state(product, workload, "cancelled")
    set_share(admin, "")
    assert admin.post("/tenants/vision/edit/", {**before, "excess": "keep"}).status_code == 302


@pytest.fixture
def submit(product: Product) -> Submit:
    """Return a function that submits something for one GPU that runs until it is stopped, and returns its id."""
    dev = product.person("dev")

    def submitted(name: str) -> str:
        fields = {"image": product.image("python"), "command": "", "script": PATIENT, "gpus": "1"}
        return dev.submit("vision", name=f"patient-{name}", **fields)

    return submitted


def set_share(admin: Person, limit: str) -> None:
    fields = {"whose": "each", "user": "", "type": "gpus", "limit": limit}
    assert admin.post("/tenants/vision/quota/shares/set/", fields).status_code == 302


def counted(product: Product) -> tuple[int, str]:
    """Return how many GPUs vision holds by the ledger and by the cluster."""
    [(used,)] = product.sql(
        "SELECT q.used FROM tenants_quotaline q JOIN tenants_resourcetype t ON t.id = q.type_id "
        "JOIN tenants_tenant n ON n.id = q.tenant_id WHERE n.slug = 'vision' AND t.key = 'gpus'"
    )
    quota = json.loads(product.kubectl("get", "resourcequota", "berth", "-n", "berth-vision", "-o", "json"))
    return int(used), str(quota["status"]["used"]["requests.nvidia.com/gpu"])


def said_by(admin: Person, workload: str) -> list[int]:
    """Return the attempts whose greeting is in the log."""
    return [line[2] for line in admin.lines(workload) if line[5] == "here I am"]


def lower_to_one(admin: Page) -> None:
    """Go by the table of all quotas, and have what is beyond the new limit stopped."""
    admin.goto("/quotas/?type=gpus&q=vision")
    admin.get_by_role("link", name="Edit the quota of vision").click()
    admin.locator("[name='vision.gpus.nominal']").fill("1")
    admin.get_by_role("button", name="Preview changes").click()
    expect(admin.locator("main")).to_contain_text("stop 1 workload, which then waits again: patient-second (dev)")
    assert problems_of(admin, "preview") == []
    admin.get_by_label("Stop it").check()
    admin.get_by_role("button", name="Change the quotas").click()
    expect(admin.locator("body")).to_contain_text("1 workload is stopped and waits again.")


@on_both_nodes
def test_a_limit_lowered_in_the_browser_stops_the_newest_which_starts_anew_when_there_is_room(
    product: Product, two_gpus: Person, submit: Submit, sign_in: SignIn
) -> None:
    first = submit("first")
    wait_state(product, first, "running")
    second = submit("second")
    wait_state(product, second, "running")
    admin, person = sign_in("admin").page(), sign_in("dev").page()
    person.goto(f"/workloads/{second}/")
    person.evaluate("window.sameDocument = true")
    lower_to_one(admin)
    expect_state(person, "queued")
    until("one GPU is held here and there", lambda: counted(product) == (1, "1"), timeout_s=QUIET_S)
    expect(person.locator("main")).to_contain_text("0 GPUs of the tenant's 1 GPU are free", timeout=RUN_TIMEOUT_MS)
    assert person.evaluate("window.sameDocument") is True, "the page was reloaded"
    assert problems_of(person, "drained") == []
    assert product.berth("ledger", "check").stdout.strip().endswith("0 differences")

    admin.goto("/tenants/vision/edit/")
    admin.locator("[name=gpus-nominal]").fill("2")
    admin.get_by_role("button", name="Save limits").click()
    expect_state(person, "running")
    attempts = "SELECT workload_id::text, n, end_state FROM workloads_attempt WHERE workload_id = ANY(%s::uuid[])"
    found = {(workload, n): end for workload, n, end in product.sql(attempts, [first, second])}
    assert found == {(first, 1): "", (second, 1): "cancelled", (second, 2): ""}
    until("the log has what both attempts said", lambda: said_by(two_gpus, second) == [1, 2], timeout_s=QUIET_S)


def test_a_share_set_in_the_browser_holds_work_back_and_taken_away_lets_it_start(
    product: Product, two_gpus: Person, submit: Submit, sign_in: SignIn
) -> None:
    admin, person = sign_in("admin").page(), sign_in("dev").page()
    admin.goto("/tenants/vision/quota/")
    admin.get_by_role("link", name="Shares of people and priorities").click()
    share = admin.get_by_role("form", name="Set a share")
    share.get_by_label("Whose").select_option(label="Each person")
    share.get_by_label("Resource").select_option(label="GPUs")
    share.get_by_label("At most").fill("1")
    share.get_by_role("button", name="Set").click()
    wait_state(product, submit("first"), "running")
    second = submit("second")
    person.goto(f"/workloads/{second}/")
    expect(person.locator("main")).to_contain_text(
        "Asks 1 GPU; its owner holds 1 GPU of at most 1 GPU in this tenant.", timeout=RUN_TIMEOUT_MS
    )
    admin.reload()
    expect(admin.locator("table.shares tbody tr", has_text="dev")).to_contain_text("GPUs, as each person")
    assert problems_of(admin, "shares") == []
    share.get_by_label("Resource").select_option(label="GPUs")
    share.get_by_label("At most").fill("")
    share.get_by_role("button", name="Set").click()
    expect_state(person, "running")
