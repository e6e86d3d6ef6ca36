"""Products that tests may hurt, and the invariants that must hold when the hurting is over."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product, running_product

TENANT = "faults"
NAMESPACE = f"berth-{TENANT}"
LIMITS = {"cpu_millicores": "8", "memory_mib": "8 GiB", "pods": "300", "gpus": "2"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/faults/" in str(item.path):
            item.add_marker("faults")
            item.add_marker(pytest.mark.timeout(900))


def make_tenant(product: Product, slug: str = TENANT) -> None:
    """Make a roomy tenant as the platform admin does, and wait until its namespace is complete."""
    admin = product.person("admin")
    answer = admin.post("/tenants/new/", {"slug": slug, "name": slug.title(), **LIMITS})
    assert answer.status_code == 302, answer.text[-3000:]
    until(
        "the tenant is ready",
        lambda: product.sql("SELECT 1 FROM tenants_tenant WHERE slug = %s AND status = 'ready'", slug),
        timeout_s=60,
    )


@pytest.fixture(scope="module")
def hurt() -> Iterator[Product]:
    """A product of this module's own, on the container node, with the tenant `faults`."""
    with running_product("--demo", "--no-samples") as product:
        product.wait_cluster()
        make_tenant(product)
        yield product


@pytest.fixture
def admin(hurt: Product) -> Person:
    return hurt.person("admin")


def states(product: Product, ids: list[str]) -> dict[str, str]:
    """Return the state of each workload."""
    rows = product.sql("SELECT id::text, state FROM workloads_workload WHERE id = ANY(%s::uuid[])", ids)
    return dict(rows)


def all_in(product: Product, ids: list[str], state: str, *, timeout_s: float) -> None:
    """Wait until every workload is in a state."""

    def check() -> bool:
        now = states(product, ids)
        return len(now) == len(ids) and set(now.values()) == {state}

    try:
        until(f"all are {state}", check, timeout_s=timeout_s, every_s=0.5)
    except pytest.fail.Exception:
        pytest.fail(f"after {timeout_s:.0f} s: {Counter(states(product, ids).values())}")


def jobs(product: Product) -> list[dict[str, Any]]:
    """Return the Jobs in the tenant's namespace."""
    items: list[dict[str, Any]] = json.loads(product.kubectl("get", "jobs", "-n", NAMESPACE, "-o", "json"))["items"]
    return items


def attempts(product: Product, ids: list[str]) -> dict[str, tuple[str, str, bool]]:
    """Return {attempt id: (workload id, object name, cleaned)} of some workloads."""
    rows = product.sql(
        "SELECT id::text, workload_id::text, object_name, cleaned_at IS NOT NULL FROM workloads_attempt "
        "WHERE workload_id = ANY(%s::uuid[])",
        ids,
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def objects_and_rows_agree(product: Product, ids: list[str]) -> bool:
    """Tell whether each attempt has exactly its one Job, told by the UUID annotation, and no Job is without a row."""
    rows = attempts(product, ids)
    found = Counter(job["metadata"]["annotations"]["berth.dev/uid"] for job in jobs(product))
    missing = [uid for uid, row in rows.items() if not row[2] and found[uid] != 1]
    return not missing and not set(found) - set(rows) and max(found.values(), default=0) <= 1


PHASES = {"Pending": "starting", "Running": "running", "Succeeded": "succeeded", "Failed": "failed"}


def rows_beside_pods(product: Product, ids: list[str]) -> dict[str, tuple[str, str]]:
    """Return {workload: (its row's state, the state that its pod's phase means)}.

    A workload without a pod is starting, or, when its attempts were cleaned up after their end, in the end that the
    attempt's own row kept: its pods are rightly gone.
    """
    pods = json.loads(product.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
    phases = {pod["metadata"]["labels"]["berth.dev/workload"]: PHASES[pod["status"]["phase"]] for pod in pods}
    # Read after the pods: what was cleaned up since then still has its pod's phase here.
    cleaned = product.sql(
        "SELECT DISTINCT ON (workload_id) workload_id::text, end_state FROM workloads_attempt "
        "WHERE workload_id = ANY(%s::uuid[]) AND cleaned_at IS NOT NULL ORDER BY workload_id, n DESC",
        ids,
    )
    seen = {**dict(cleaned), **phases}
    now = states(product, ids)
    return {workload: (now[workload], seen.get(workload, "starting")) for workload in ids}


def rows_say_what_the_cluster_says(product: Product, ids: list[str]) -> bool:
    """Tell whether each workload has its Job and shows the state that its pod's phase means."""
    agree = all(row == pod for row, pod in rows_beside_pods(product, ids).values())
    return agree and objects_and_rows_agree(product, ids)
