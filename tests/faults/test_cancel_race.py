"""Cancels that race with creates: no object is left, nothing is held."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import NAMESPACE, TENANT, all_in, make_tenant
from tests.plugins.clusters import start_cluster
from tests.plugins.figures import Figure
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product, running_product

KINDS = "jobs,pods,configmaps"
ROUNDS_ALONE = 200
ROUNDS_NODE = 10
AT_ONCE = 8
GHOST: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "ghost"},
    "status": {
        "capacity": {"cpu": "64", "memory": "64Gi", "pods": "1000"},
        "allocatable": {"cpu": "64", "memory": "64Gi", "pods": "1000"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
    },
}


@pytest.fixture(scope="module")
def nodeless(cluster_binary: Path) -> Iterator[Product]:
    """A product on a control plane without a kubelet; one node only says that it is there."""
    cluster = start_cluster(cluster_binary, "--alone")
    # Unscheduled pods go away at once when they are deleted; a pod on a node that no kubelet serves would stay.
    scheduler = cluster.roles()["kube-scheduler"]
    os.kill(scheduler, signal.SIGSTOP)
    try:
        with (
            running_product("--demo", "--no-samples", kubeconfig=cluster.admin_kubeconfig) as product,
            ghost_node(product),
        ):
            product.wait_cluster()
            make_tenant(product)
            yield product
    finally:
        os.kill(scheduler, signal.SIGCONT)
        cluster.stop()


class ghost_node:  # noqa: N801 (used like a function)
    """Keep a Node object that looks ready: the cluster marks one whose lease is not renewed."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._renew)

    def __enter__(self) -> None:
        self._kubectl("apply", "-f", "-", document=GHOST)
        self._kubectl("replace", "--raw", "/api/v1/nodes/ghost/status", "-f", "-", document=self._current())
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def _current(self) -> dict[str, Any]:
        node: dict[str, Any] = json.loads(self.product.kubectl("get", "node", "ghost", "-o", "json"))
        return {**node, "status": GHOST["status"]}

    def _renew(self) -> None:
        while True:
            now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
            lease = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "ghost", "namespace": "kube-node-lease"},
                "spec": {"holderIdentity": "ghost", "leaseDurationSeconds": 40, "renewTime": now},
            }
            self._kubectl("apply", "-f", "-", document=lease)
            if self.stop.wait(10):
                return

    def _kubectl(self, *words: str, document: dict[str, Any]) -> None:
        self.product.kubectl(*words, stdin=json.dumps(document))


def race(product: Product, person: Person, rounds: int, *, image: str) -> list[str]:
    """Submit and cancel after a moment, several at a time; returns the workloads' ids."""
    chance = random.Random(rounds)  # noqa: S311 (moments, not secrets)
    moments = [chance.uniform(0.0, 0.4) for _ in range(rounds)]
    script = "print('never mind')\n"

    def one(moment: float) -> str:
        workload = person.submit(TENANT, name="race", image=image, script=script, command="")
        time.sleep(moment)
        answer = person.cancel(workload)
        assert answer.status_code == 302, answer.status_code
        return workload

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, moments))


def nothing_left(product: Product, ids: list[str]) -> None:
    all_in(product, ids, "cancelled", timeout_s=60)
    selector = f"berth.dev/workload in ({','.join(ids)})"
    until(
        "no object is left",
        lambda: product.kubectl("get", KINDS, "-n", NAMESPACE, "-l", selector, "-o", "name") == "",
        timeout_s=60,
        every_s=0.5,
    )
    held = "SELECT count(*) FROM workloads_attempt WHERE released_at IS NULL AND workload_id = ANY(%s::uuid[])"
    assert product.sql(held, ids) == [(0,)]


def created(product: Product, ids: list[str]) -> int:
    rows = product.sql("SELECT count(*) FROM workloads_attempt WHERE workload_id = ANY(%s::uuid[])", ids)
    return int(rows[0][0])


def test_two_hundred_cancels_racing_creates_leave_nothing(nodeless: Product, figure: Figure) -> None:
    person = nodeless.person("admin")
    ids = race(nodeless, person, ROUNDS_ALONE, image="registry.berth.internal/python:1")
    nothing_left(nodeless, ids)
    figure(f"{ROUNDS_ALONE} cancels, {created(nodeless, ids)} of them after an attempt was admitted; nothing left")
    assert created(nodeless, ids) > ROUNDS_ALONE // 10, "the cancels came too early to race with anything"


def test_ten_cancels_on_real_containers_leave_nothing(hurt: Product, admin: Person) -> None:
    nothing_left(hurt, race(hurt, admin, ROUNDS_NODE, image=hurt.image("python")))
