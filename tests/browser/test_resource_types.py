"""A resource type that nobody wrote code for: added in the browser, asked for, part of the pod, counted, explained."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SignIn
from tests.browser.test_main_job import RUN_TIMEOUT_MS, expect_state, submit
from tests.browser.test_pages import problems_of
from tests.cluster.test_quota_on_the_node import limits
from tests.plugins.polling import until
from tests.plugins.product import Product

pytestmark = pytest.mark.timeout(300)
FPGA, RDMA = "xilinx.com/fpga-u250", "rdma/hca"
OFFERED = {FPGA: "2", RDMA: "4"}
KEYS = ("fpga-u250", "rdma_hca")
SEEN_S = 60  # the kubelet repeats what its node offers each 10 s
HOLDER = "holds-an-fpga"


@pytest.fixture
def offering(demo: Product) -> Iterator[Product]:
    """A node that offers both, as a device plug-in would have it offer them; taken away at the end."""
    patch(demo, [{"op": "add", "path": path(name), "value": amount} for name, amount in OFFERED.items()])
    yield demo
    demo.kubectl("delete", "pod", HOLDER, "--ignore-not-found", "--grace-period=0", "--force")
    patch(demo, [{"op": "remove", "path": path(name)} for name in OFFERED])
    admin = demo.person("admin")
    before = limits(demo, "vision") | dict.fromkeys((f"{key}-nominal" for key in KEYS), "0")
    assert admin.post("/tenants/vision/edit/", {**before, "excess": "keep"}).status_code == 302
    for key in KEYS:
        assert admin.post(f"/resource-types/{key}/delete/", {}).status_code == 302


def path(name: str) -> str:
    return "/status/capacity/" + name.replace("/", "~1")


def patch(demo: Product, operations: list[dict[str, str]]) -> None:
    [node] = json.loads(demo.kubectl("get", "nodes", "-o", "json"))["items"]
    found = json.dumps(operations)
    demo.kubectl("patch", "node", node["metadata"]["name"], "--subresource=status", "--type=json", "-p", found)


def add_type(page: Page, kube_name: str, label: str, chinese: str) -> None:
    """Adopt what the node offers, as an administrator would who reads the list."""

    def listed() -> bool:
        page.goto("/resource-types/")
        return page.get_by_role("link", name=f"Adopt {kube_name}").count() == 1

    until(f"{kube_name} is seen on the node", listed, timeout_s=SEEN_S, every_s=1)
    page.get_by_role("link", name=f"Adopt {kube_name}").click()
    page.locator("[name=label_en]").fill(label)
    page.locator("[name=label_zh]").fill(chinese)
    page.get_by_role("button", name="Add the type").click()
    expect(page.locator("tbody th", has_text=label)).to_be_visible()


def give_quota(page: Page, key: str, amount: str) -> None:
    page.goto("/tenants/vision/edit/")
    page.locator(f"[name={key}-nominal]").fill(amount)
    page.get_by_role("button", name="Save limits").click()
    page.wait_for_url("**/tenants/vision/**")


def used(demo: Product, key: str) -> int:
    [(amount,)] = demo.sql(
        "SELECT q.used FROM tenants_quotaline q JOIN tenants_resourcetype t ON t.id = q.type_id "
        "JOIN tenants_tenant n ON n.id = q.tenant_id WHERE n.slug = 'vision' AND t.key = %s",
        key,
    )
    return int(amount)


def container_of(demo: Product, workload: str) -> dict[str, Any]:
    found = demo.kubectl("get", "pods", "-n", "berth-vision", "-l", f"berth.dev/workload={workload}", "-o", "json")
    container: dict[str, Any] = json.loads(found)["items"][0]["spec"]["containers"][0]
    return container


def test_an_fpga_and_an_rdma_adapter_are_added_asked_for_counted_and_explained(
    offering: Product, sign_in: SignIn
) -> None:
    admin = sign_in("admin").page()
    add_type(admin, FPGA, "FPGA U250", "U250 加速卡")
    add_type(admin, RDMA, "RDMA adapters", "RDMA 网卡")
    for key, amount in zip(KEYS, OFFERED.values(), strict=True):
        give_quota(admin, key, amount)
    assert problems_of(admin, "limits") == []

    person = sign_in("dev").page()
    asked = {"extra-fpga-u250": "1", "extra-rdma_hca": "2"}
    workload = submit(person, "python-script", **asked)
    expect_state(person, "running")
    for asked_for in ("1 × FPGA U250", "2 × RDMA adapters"):
        expect(person.locator(".page-header .meta")).to_contain_text(asked_for)
    container = container_of(offering, workload)
    for side in ("requests", "limits"):
        assert {name: container["resources"][side].get(name) for name in OFFERED} == {FPGA: "1", RDMA: "2"}
    assert (used(offering, "fpga-u250"), used(offering, "rdma_hca")) == (1, 2)
    expect_state(person, "succeeded")
    until("what ended gives its FPGA back", lambda: used(offering, "fpga-u250") == 0, timeout_s=SEEN_S)

    # Somebody past Berth takes one of the two: what asks for both is admitted, and no node has room for it.
    offering.kubectl("run", HOLDER, f"--image={offering.image('busybox')}", "--overrides", json.dumps(holder(offering)))
    submit(person, "python-script", **{"extra-fpga-u250": "2"})
    card = person.locator(".card", has_text="No node has room for it now")
    expect(card.first).to_contain_text("Nodes with too little free: FPGA U250", timeout=RUN_TIMEOUT_MS)
    assert problems_of(person, "waiting") == []
    offering.kubectl("delete", "pod", HOLDER, "--grace-period=0", "--force")
    expect_state(person, "succeeded")


def holder(demo: Product) -> dict[str, Any]:
    amounts = {FPGA: "1"}
    container = {
        "name": "main",
        "image": demo.image("busybox"),
        "command": ["sleep", "600"],
        "resources": {"requests": amounts, "limits": amounts},
    }
    return {"spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
