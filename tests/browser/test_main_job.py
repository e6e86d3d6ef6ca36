"""The main job, as a person does it: a real browser, nobody reloads the page. Where work runs in real containers, and
again as somebody who is not root gets it, where it runs as plain processes."""

import contextlib
import uuid
from random import SystemRandom

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.test_pages import problems_of
from tests.plugins.polling import until
from tests.plugins.product import Product

RUN_TIMEOUT_MS = 60_000
EIGHT_SECONDS = "import time\nfor step in range(8):\n    print('step', step)\n    time.sleep(1)\n"
on_both_nodes = pytest.mark.parametrize("product", ["demo", "demo_without_root"], indirect=True)


def submit(page: Page, template: str, **fields: str) -> str:
    """Fill the form from a template, change some fields, submit, and return the workload's id."""
    page.goto("/workloads/new/?tenant=vision")
    page.locator(f"#template-{template}").click()
    expect(page.locator(f"#template-{template}")).to_have_attribute("aria-current", "true")
    for label, value in fields.items():
        page.locator(f"[name={label}]").fill(value)
    page.locator("button[type=submit]:visible", has_text="Submit").first.click()
    page.wait_for_url("**/workloads/*-*/")
    return page.url.rstrip("/").rsplit("/", 1)[1]


def command_lines() -> list[str]:
    """Return what every process of this machine was called as."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    return found


def expect_state(page: Page, state: str) -> None:
    expect(page.locator(f"h1 .chip-{state}")).to_be_visible(timeout=RUN_TIMEOUT_MS)


@pytest.mark.parametrize(
    ("product", "fields"), [("demo", {}), ("demo_without_root", {"script": EIGHT_SECONDS})], indirect=["product"]
)
def test_a_job_from_a_template_runs_and_its_log_appears_without_a_reload(
    product: Product, fields: dict[str, str], sign_in: SignIn
) -> None:
    page = sign_in("dev").page()
    workload = submit(page, "python-script", **fields)
    page.evaluate("window.sameDocument = true")
    expect_state(page, "running")
    page.goto(f"/workloads/{workload}/logs/")
    page.evaluate("window.sameDocument = true")
    lines = page.locator("#log-viewer .ln")
    expect(lines.first).to_be_visible(timeout=RUN_TIMEOUT_MS)
    expect_state(page, "succeeded")
    assert page.evaluate("window.sameDocument") is True, "the page was reloaded"
    states = product.sql("SELECT state FROM workloads_workloadevent WHERE workload_id = %s ORDER BY id", workload)
    seen = list(dict.fromkeys(row[0] for row in states))
    assert seen == ["queued", "starting", "running", "succeeded"]


def test_the_log_the_pod_and_its_events_are_still_there_after_the_pod_is_gone(demo: Product, sign_in: SignIn) -> None:
    page = sign_in("dev").page()
    workload = submit(page, "python-script", script="print('kept for later')\n")
    expect_state(page, "succeeded")
    demo.kubectl("delete", "pod", "-n", "berth-vision", "-l", f"berth.dev/workload={workload}", "--wait=true")
    page.goto(f"/workloads/{workload}/logs/")
    expect(page.locator("#log-viewer")).to_contain_text("kept for later")
    page.goto(f"/workloads/{workload}/pods/")
    expect(page.locator(".pod")).to_contain_text("Ended with exit code 0")
    expect(page.locator(".pod")).to_contain_text("gone from the cluster", timeout=RUN_TIMEOUT_MS)
    page.goto(f"/workloads/{workload}/events/?show=cluster")
    for reason in ("Scheduled", "Started"):
        expect(page.locator(".events code", has_text=reason).first).to_be_visible()


@on_both_nodes
@pytest.mark.parametrize(
    ("template", "fields", "said"),
    [
        ("fails-on-purpose", {}, "xit code 3"),
        ("uses-too-much-memory", {}, "memory"),
    ],
)
def test_a_failed_job_says_why(sign_in: SignIn, template: str, fields: dict[str, str], said: str) -> None:
    page = sign_in("dev").page()
    submit(page, template, **fields)
    expect_state(page, "failed")
    expect(page.locator("#workload-live")).to_contain_text(said)


def test_on_a_phone_the_foot_of_the_log_tells_the_lines_that_are_in_sight(demo: Product, sign_in: SignIn) -> None:
    command = "sh -c 'for i in $(seq 60); do echo line $i; done'"
    workload = demo.person("dev").submit("vision", name="sixty", image=demo.image("busybox"), command=command)
    page = sign_in("dev", width=390).page()
    page.goto(f"/workloads/{workload}/logs/")
    lines = page.locator("[data-range]")
    expect(lines).to_contain_text("of 60", timeout=RUN_TIMEOUT_MS)
    expect(page.locator("h1 .chip-succeeded")).to_be_visible(timeout=RUN_TIMEOUT_MS)
    page.reload()
    expect(lines).to_contain_text("of 60")
    expect(lines).not_to_contain_text("–60 of 60")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(lines).to_contain_text("–60 of 60")


@on_both_nodes
def test_cancelling_a_running_job_ends_its_pod_and_its_processes(product: Product, sign_in: SignIn) -> None:
    page = sign_in("dev").page()
    asleep = f"sleep {SystemRandom().randrange(100_000, 1_000_000)}"  # that nobody else on the machine runs
    workload = submit(page, "shell-command", command=f"sh -c '{asleep} & wait'", script="")
    expect_state(page, "running")
    until("it is a process of this machine", lambda: asleep in command_lines(), timeout_s=30)
    page.locator("#cancel").click()
    page.get_by_role("button", name="Cancel it").click()
    expect_state(page, "cancelled")
    selector = f"berth.dev/workload={workload}"
    until(
        "no pod and no job is left",
        lambda: product.kubectl("get", "pods,jobs", "-n", "berth-vision", "-l", selector, "-o", "name") == "",
        timeout_s=30,
    )
    assert asleep not in command_lines()


def test_somebody_elses_workload_looks_like_a_missing_one(demo: Product, sign_in: SignIn) -> None:
    workload = submit(sign_in("dev").page(), "python-script", script="print('secret')\n")
    stranger = sign_in("guest")
    stranger.expected.add(404)
    page = stranger.page()
    foreign = page.goto(f"/workloads/{workload}/")
    assert foreign is not None
    assert foreign.status == 404
    there = page.locator("main").inner_text()
    missing = page.goto(f"/workloads/{uuid.uuid4()}/")
    assert missing is not None
    assert missing.status == 404
    assert page.locator("main").inner_text() == there
    for identifier in (workload, uuid.uuid4()):
        close_code = page.evaluate(
            """path => new Promise(done => {
                 const socket = new WebSocket(`ws://${location.host}${path}`);
                 socket.onclose = event => done(event.code);
               })""",
            f"/ws/workloads/{identifier}/logs/?after=0",
        )
        assert close_code == 4404


def test_the_list_changes_by_itself(sign_in: SignIn) -> None:
    watching = sign_in("dev")
    page = watching.page()
    page.goto("/workloads/?tenant=vision")
    other = watching.page()
    workload = submit(other, "python-script", script="print('quick')\n")
    row = page.locator(f"#row-{workload}")
    expect(row.locator(".chip-succeeded")).to_be_visible(timeout=RUN_TIMEOUT_MS)


@pytest.mark.parametrize("product", ["demo_without_root"], indirect=True)
def test_without_containers_the_pages_say_so_and_hold_no_violation(sign_in: SignIn) -> None:
    page, found = sign_in("dev").page(), []
    for path in ("/", "/workloads/new/?tenant=vision", "/help/"):
        page.goto(path)
        expect(page.locator("#process-node")).to_contain_text("plain processes on one machine, not in containers")
        found += problems_of(page, path)
    assert found == []
