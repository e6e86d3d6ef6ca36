"""The API server away for a minute: killed over and over, then stopped. Pages answer, nothing exits, all converges."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import (
    TENANT,
    all_in,
    attempts,
    rows_beside_pods,
    rows_say_what_the_cluster_says,
    states,
)
from tests.plugins.figures import Figure
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

AWAY_S = 60.0
PROMISE_S = 30.0
OURS = ("web", "worker", "beat", "controller", "queue", "logcollector")


def restarts(product: Product) -> dict[str, int]:
    children = product.state()["children"]
    return {name: children[name]["restarts"] for name in OURS}


def kept_killed(product: Product, seconds: float) -> None:
    """Kill the API server again each time that the node brings it back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError, KeyError):
            os.kill(product.roles()["kube-apiserver"], signal.SIGKILL)
        time.sleep(0.2)


def kept_stopped(product: Product, seconds: float) -> None:
    pid = product.roles()["kube-apiserver"]
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("away", [kept_killed, kept_stopped], ids=["killed", "stopped"])
def test_an_outage_of_the_api_server_is_survived(
    hurt: Product, admin: Person, figure: Figure, away: Callable[[Product, float], None]
) -> None:
    image = hurt.image("busybox")
    before = admin.submit(TENANT, name="before", image=image, command="sh -c 'sleep 20; echo done'")
    until("it runs", lambda: states(hurt, [before])[before] == "running", timeout_s=180)
    counted = restarts(hurt)

    away(hurt, AWAY_S / 2)
    page = admin.get("/workloads/")
    assert page.status_code == 200
    assert "cluster-stale" in page.text, "the page does not say that it is stale"
    during = admin.submit(TENANT, name="during", image=image, command="echo during")
    with_gpu = admin.submit(TENANT, name="with-gpu", image=image, command="echo during", gpus="1")
    assert admin.get(f"/workloads/{during}/").status_code == 200
    away(hurt, AWAY_S / 2)

    until("the API server is back", lambda: "ok" in hurt.kubectl("get", "--raw", "/readyz", check=False), timeout_s=60)
    returned = time.monotonic()
    until("the cluster is in step", lambda: hurt.ready().get("state") == "ok", timeout_s=PROMISE_S, every_s=0.5)
    ids = [before, during, with_gpu]
    until(
        lambda: f"rows say what the cluster says: {rows_beside_pods(hurt, ids)}, {attempts(hurt, ids)}",
        lambda: rows_say_what_the_cluster_says(hurt, ids),
        timeout_s=PROMISE_S - (time.monotonic() - returned),
    )
    figure(f"in step {time.monotonic() - returned:.1f} s after the API server's return")
    all_in(hurt, ids, "succeeded", timeout_s=PROMISE_S - (time.monotonic() - returned))
    figure(f"what was submitted meanwhile had run {time.monotonic() - returned:.1f} s after its return")
    assert restarts(hurt) == counted
