"""What the ledger lets in the cluster lets in: lending, borrowing and its end, with real containers."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.test_jobs_end import state_of, wait_state
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
KEY = "requests.nvidia.com/gpu"
QUIET_S = 60  # what is put right in the cluster's quota is put right by then


@pytest.fixture
def busybox(demo: Product) -> str:
    return demo.image("busybox")


@pytest.fixture
def cohort(demo: Product) -> Iterator[Person]:
    """Vision has one GPU and may borrow one that speech lends; all of it is undone."""
    admin = demo.person("admin")
    before = {slug: limits(demo, slug) for slug in ("vision", "speech")}
    admin.post("/cohorts/new/", {"name": "research"})
    [(cohort_id,)] = demo.sql("SELECT id::text FROM tenants_cohort WHERE name = 'research'")
    for slug in before:
        assert admin.post(f"/tenants/{slug}/cohort/", {"cohort": cohort_id}).status_code == 302
    set_gpus(admin, before, "speech", nominal=1, lend_limit=1)
    set_gpus(admin, before, "vision", nominal=1, borrow_limit=1)
    yield admin
    for slug, fields in before.items():
        admin.post(f"/tenants/{slug}/cohort/", {"cohort": "", "keep_lent": "on"})
        assert admin.post(f"/tenants/{slug}/edit/", {**fields, "excess": "keep"}).status_code == 302
    admin.post(f"/cohorts/{cohort_id}/delete/", {})


def limits(demo: Product, slug: str) -> dict[str, Any]:
    """Return what the form of a tenant posts to change nothing."""
    rows = demo.sql(
        "SELECT t.key, q.nominal FROM tenants_quotaline q JOIN tenants_resourcetype t ON t.id = q.type_id "
        "JOIN tenants_tenant n ON n.id = q.tenant_id WHERE n.slug = %s",
        slug,
    )
    units = {"cpu_millicores": "m", "memory_mib": " MiB"}
    first = {"name": slug.title(), "priorities": ["normal", "low"]}
    return {**first, **{f"{key}-nominal": f"{amount}{units.get(key, '')}" for key, amount in rows}}


def set_gpus(admin: Person, before: dict[str, dict[str, Any]], slug: str, **bounds: int) -> None:
    fields = dict(before[slug])
    for key in ("cpu_millicores", "memory_mib", "gpus", "pods"):
        fields |= {f"{key}-borrow_limit": "0", f"{key}-lend_limit": "0"}
    fields |= {f"gpus-{bound}": str(amount) for bound, amount in bounds.items()}
    assert admin.post(f"/tenants/{slug}/edit/", fields).status_code == 302


def in_the_cluster(demo: Product, part: str) -> dict[str, str]:
    quota = json.loads(demo.kubectl("get", "resourcequota", "berth", "-n", "berth-vision", "-o", "json"))
    found: dict[str, str] = quota["status"].get(part, {})
    return found


def gpus(demo: Product, column: str) -> int:
    rows = demo.sql(
        f"SELECT q.{column} FROM tenants_quotaline q JOIN tenants_resourcetype t ON t.id = q.type_id "  # noqa: S608
        "JOIN tenants_tenant n ON n.id = q.tenant_id WHERE n.slug = 'vision' AND t.key = 'gpus'"
    )
    return int(rows[0][0])


def checked(demo: Product) -> subprocess.CompletedProcess[str]:
    return demo.berth("ledger", "check")


def test_what_is_borrowed_runs_in_the_cluster_and_is_counted_alike_there_and_here(
    demo: Product, cohort: Person, busybox: str
) -> None:
    dev = demo.person("dev")
    until(
        "the cluster counts by the new quota", lambda: in_the_cluster(demo, "hard").get(KEY) == "2", timeout_s=QUIET_S
    )
    borrows = dev.submit("vision", image=busybox, command="sleep 600", gpus="2")
    wait_state(demo, borrows, "running")
    until("both count two", lambda: in_the_cluster(demo, "used").get(KEY) == "2", timeout_s=30)
    assert gpus(demo, "used") == 2
    waits = dev.submit("vision", image=busybox, command="true", gpus="1")
    until("it says what it waits for", lambda: state_of(demo, waits)[1] == "over_quota", timeout_s=15)
    assert "research could lend 0 GPUs" in dev.get(f"/workloads/{waits}/").text
    assert checked(demo).returncode == 0
    dev.cancel(borrows)
    wait_state(demo, waits, "succeeded")
    until("all is given back here and there", lambda: gpus(demo, "used") == 0, timeout_s=30)
    until("the cluster counts none", lambda: in_the_cluster(demo, "used").get(KEY) == "0", timeout_s=30)
    assert checked(demo).stdout.strip().endswith("0 differences")


def test_a_quota_edited_or_deleted_in_the_cluster_is_put_right(demo: Product, cohort: Person) -> None:
    until(
        "the cluster counts by the new quota", lambda: in_the_cluster(demo, "hard").get(KEY) == "2", timeout_s=QUIET_S
    )
    patch = json.dumps({"spec": {"hard": {KEY: "7"}}})
    demo.kubectl("patch", "resourcequota", "berth", "-n", "berth-vision", "--type=merge", "-p", patch)
    until("the edit is undone", lambda: in_the_cluster(demo, "hard").get(KEY) == "2", timeout_s=QUIET_S)
    demo.kubectl("delete", "resourcequota", "berth", "-n", "berth-vision")

    def is_back() -> bool:
        found = demo.kubectl("get", "resourcequota", "berth", "-n", "berth-vision", "-o", "name", check=False)
        return "resourcequota/berth" in found

    until("it is there again", is_back, timeout_s=QUIET_S)
