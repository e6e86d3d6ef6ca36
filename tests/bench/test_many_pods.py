"""Thousands of pods on hundreds of scripted nodes: the whole product on a real control plane, measured.

Small here; full with BERTH_BENCH_NODES=500 BERTH_BENCH_PODS=6000 (docs/operators/scripted-nodes.md). Figures are
printed and never asserted; what is asserted is that nothing is lost.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.embedded.kubelet.client import KubeClient, WatchBroken
from tests.bench.processes import Cost, cost_of, told
from tests.plugins.clusters import RunningCluster, start_cluster
from tests.plugins.figures import Figure
from tests.plugins.polling import until
from tests.plugins.product import ROOT, Product

NODES = int(os.environ.get("BERTH_BENCH_NODES", "50"))
PODS = int(os.environ.get("BERTH_BENCH_PODS", "150"))
CHANGES_PER_S = min(50.0, PODS / 30)
STEADY_S = min(60.0, PODS / CHANGES_PER_S / 2)
START_LIMIT_S = 300.0
RAMP_LIMIT_S = 240 + PODS / 3
LAG_LIMIT_S = 60 + PODS / CHANGES_PER_S
TENANT = "speech"
PAGES = ("/workloads/?view=all", "/workloads/?view=active", "/workloads/?view=all&state=running", "/search/?q=copy")

LIMIT_S = int(2 * START_LIMIT_S + RAMP_LIMIT_S + 3 * LAG_LIMIT_S)
pytestmark = [pytest.mark.cluster, pytest.mark.bench, pytest.mark.timeout(LIMIT_S)]

_COPIES = """
INSERT INTO workloads_workload (id, tenant_id, owner_id, name, kind, spec, spec_digest, kube_name, created, updated,
  hidden, desired, generation, state, reason_code, reason_params, version, attempts_made, cpu_millicores, memory_mib,
  gpus, claimed_by, claim_epoch, log_collector, log_epoch, log_last_seq, log_bytes, log_sealed, extra)
SELECT gen_random_uuid(), tenant_id, owner_id, 'copy ' || n, kind, spec, spec_digest,
  'w-' || substr(md5(random()::text || n), 1, 10), clock_timestamp(), clock_timestamp(), false, 'run', 1, 'queued', '',
  '{}', 1, 0, cpu_millicores, memory_mib, gpus, '', 0, '', 0, 0, 0, false, extra
FROM workloads_workload, generate_series(1, %s) AS n WHERE id = %s
"""
_STATES = "SELECT state, reason_code, count(*) FROM workloads_workload GROUP BY 1, 2"
_ENDS = """
SELECT p.uid::text, extract(epoch FROM e.time)::float FROM workloads_workloadevent e
JOIN workloads_attempt a ON a.workload_id = e.workload_id AND a.n = e.attempt_n
JOIN workloads_pod p ON p.attempt_id = a.id WHERE e.state = 'succeeded'
"""


class EventCount:
    """A second watcher beside the controller, of the same objects: how many events there are, and when pods ended."""

    def __init__(self, cluster: RunningCluster) -> None:
        self.ended_at: dict[str, float] = {}
        self.events = 0
        self._client = KubeClient(cluster.api_url, pki=cluster.state_dir / "pki", name="admin")
        self._selector = "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dberth"
        self._lock = threading.Lock()
        for path in ("/api/v1/pods", "/apis/batch/v1/jobs"):
            threading.Thread(target=self._follow, args=(path,), daemon=True).start()

    def _follow(self, path: str) -> None:
        while True:
            with contextlib.suppress(WatchBroken, OSError, ValueError):
                _items, version = self._client.list_all(path, query=self._selector)
                for event in self._client.watch(path, query=self._selector, version=version):
                    self._note(event, time.time())
            time.sleep(0.5)  # the server is away for a moment

    def _note(self, event: dict[str, Any], now: float) -> None:
        if event["type"] == "BOOKMARK":
            return
        item = event["object"]
        with self._lock:
            self.events += 1
            if item["kind"] == "Pod" and item["status"].get("phase") == "Succeeded":
                self.ended_at.setdefault(item["metadata"]["uid"], now)


class Field:
    """The product on its scripted nodes."""

    def __init__(self, cluster: RunningCluster, product: Product) -> None:
        self.cluster = cluster
        self.product = product

    def order(self, **control: Any) -> None:
        """Write the control file in one go."""
        path = self.cluster.state_dir / "scripted.json"
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps({"default": {"end": "never"}, **control}))
        unfinished.replace(path)

    def pids(self) -> dict[str, int]:
        """Return every process of the product and of the control plane."""
        children = {name: child["pid"] for name, child in self.product.state()["children"].items() if child.get("pid")}
        return children | self.cluster.roles()

    def costs(self) -> dict[str, Cost]:
        return {name: cost_of(pid) for name, pid in self.pids().items()}

    def count(self, state: str) -> int:
        """Return how many workloads stand in a state, by the rows."""
        return int(self.product.sql("SELECT count(*) FROM workloads_workload WHERE state = %s", state)[0][0])

    def start_pages(self) -> subprocess.Popen[str]:
        """Measure pages in a process of their own, on the product's database."""
        host = self.product.url.removeprefix("http://")
        command = [sys.executable, "-m", "tests.bench.page_figures", "auditor", host, *PAGES]
        environment = {**os.environ, **self.product.settings()}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def field(cluster_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A cluster of scripted nodes whose pods run until told otherwise, and the product on it."""
    cluster = start_cluster(cluster_binary, "--scripted", str(NODES), limit_s=START_LIMIT_S)
    product = Product(
        tmp_path_factory.mktemp("product") / "data", "--demo", "--no-samples", kubeconfig=cluster.admin_kubeconfig
    )
    try:
        product.start()
        product.wait_answering(START_LIMIT_S)
        product.wait_cluster()
        ready = Field(cluster, product)
        ready.order()
        yield ready
    finally:
        if product.process.poll() is None:
            product.stop()
        cluster.stop()


def raise_limits(product: Product) -> None:
    limits = {
        "name": "Speech",
        "priorities": "normal",
        "cpu_millicores-nominal": "9000",
        "memory_mib-nominal": "9000 GiB",
        "gpus-nominal": "0",
    }
    answer = product.person("admin").post(f"/tenants/{TENANT}/edit/", {**limits, "pods-nominal": "20000"})
    assert answer.status_code == 302, answer.text[:2000]


def say_pages(measuring: "subprocess.Popen[str]", figure: Figure, when: str) -> None:
    text, _ = measuring.communicate(timeout=300)
    assert measuring.returncode == 0
    for url, seen in json.loads(text).items():
        figure(
            f"{when}: {url} {seen['median_ms']} ms (worst of 9: {seen['worst_ms']} ms), of it processor "
            f"{seen['cpu_ms']} ms, {seen['statements']} statements, {seen['bytes'] // 1024} KiB"
        )


def say_lags(ended_at: dict[str, float], rows: dict[str, float], figure: Figure, when: str) -> None:
    lags = sorted(rows[uid] - at for uid, at in ended_at.items() if uid in rows)
    if len(lags) > 1:
        cuts = statistics.quantiles(lags, n=100, method="inclusive")
        figure(
            f"{when}: pod change → row, {len(lags)} changes: "
            f"p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms, worst {lags[-1] * 1000:.0f} ms"
        )


def start_all(field: Field, figure: Figure) -> None:
    """Queue copies of one submitted workload and wait until all run."""
    product = field.product
    first = product.person("guest").submit(TENANT, name="first")
    before, began = field.costs(), time.monotonic()
    product.sql(_COPIES, PODS - 1, first)
    until(
        lambda: f"all run: {product.sql(_STATES)}",
        lambda: field.count("running") == PODS, timeout_s=RAMP_LIMIT_S, every_s=1.0,
    )  # fmt: skip
    took_s = time.monotonic() - began
    figure(f"queued → all running: {took_s:.0f} s, {PODS / took_s:.0f} a second")
    figure(f"while they started: {told(field.pids(), before, window_s=took_s)}")


def watch_window(field: Field, watcher: EventCount, figure: Figure, *, when: str, window_s: float) -> None:
    """Let time pass and say what it cost."""
    before, began, events, ends = field.costs(), time.monotonic(), watcher.events, len(watcher.ended_at)
    time.sleep(window_s)  # the window of the measurement
    took_s = time.monotonic() - began
    rates = f"{(len(watcher.ended_at) - ends) / took_s:.0f} ends/s, {(watcher.events - events) / took_s:.0f} events/s"
    figure(f"{when}: {rates}; {told(field.pids(), before, window_s=took_s)}")


def test_many_pods_run_their_page_is_asked_for_and_their_ends_are_seen(field: Field, figure: Figure) -> None:
    product, cluster = field.product, field.cluster
    figure(f"{NODES} nodes, {PODS} pods, {os.cpu_count()} cores; control plane up in {cluster.ready_after_s:.1f} s")
    raise_limits(product)
    start_all(field, figure)
    say_pages(field.start_pages(), figure, "at rest")
    watcher = EventCount(cluster)
    watch_window(field, watcher, figure, when="at rest", window_s=STEADY_S)

    changing = f"at {CHANGES_PER_S:.0f} changes/s"
    measuring = field.start_pages()
    field.order(end_per_s=CHANGES_PER_S)
    watch_window(field, watcher, figure, when=changing, window_s=STEADY_S)
    seen_before = dict(watcher.ended_at)

    # Every watch breaks and has to begin anew; by 410 only where the server has forgotten its version.
    os.kill(cluster.roles()["kube-apiserver"], signal.SIGKILL)
    killed, left = time.monotonic(), PODS - len(seen_before)
    say_pages(measuring, figure, changing)
    until("the rows say that all ended", lambda: field.count("succeeded") == PODS, timeout_s=2 * LAG_LIMIT_S)
    figure(f"API server killed while {left} still ran: all ends in the rows {time.monotonic() - killed:.0f} s later")
    product.wait_cluster(60)
    said = product.log("controller")
    figure(
        f"the controller's watches were interrupted {said.count('was interrupted')} times, by 410 {said.count('Gone')}"
    )
    say_lags(seen_before, dict(product.sql(_ENDS)), figure, changing)
