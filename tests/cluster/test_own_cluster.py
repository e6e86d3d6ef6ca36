"""On somebody's own cluster, with their own PostgreSQL and Redis: Berth makes what it owns, and purges that."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.plugins.clusters import RunningCluster
from tests.plugins.polling import until
from tests.plugins.product import Product
from tests.plugins.servers import Servers

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]
# What Kubernetes writes all the time by itself.
RESTLESS = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses"}


@pytest.fixture
def own_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Valkey that are not Berth's, with an empty database."""
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    servers = Servers()
    servers.start_postgres()
    servers.start_valkey()
    yield {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    servers.stop()


def objects(cluster: RunningCluster) -> dict[tuple[str, str, str], Any]:
    """Return every object of the cluster by kind, namespace and name, without what changes by itself."""
    kinds = sorted(set(cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()) - RESTLESS)
    items = json.loads(cluster.kubectl("get", ",".join(kinds), "-A", "-o", "json"))["items"]
    found = {}
    for item in items:
        metadata = item["metadata"]
        for restless in ("resourceVersion", "managedFields", "annotations"):
            metadata.pop(restless, None)
        item.pop("status", None)
        found[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
    return found


def test_a_purge_leaves_the_cluster_as_it_was_before_the_first_start(
    container_node: RunningCluster, own_servers: dict[str, str], tmp_path: Path
) -> None:
    container_node.kubectl("create", "namespace", "somebodys-own")
    before = objects(container_node)
    given = container_node.admin_kubeconfig
    product = Product(tmp_path / "data", "--demo", "--no-samples", kubeconfig=given, servers=own_servers)
    product.start()
    try:
        product.wait_answering()
        product.wait_cluster()
        image = container_node.images["busybox"]
        workload = product.person("guest").submit("speech", name="once", image=image, command="true")
        state = "SELECT state FROM workloads_workload WHERE id = %s"
        until("the job has run", lambda: product.sql(state, workload) == [("succeeded",)], timeout_s=180)
        assert set(objects(container_node)) - set(before)
        status = product.berth("status")
        assert f"Berth runs at {product.url}" in status.stdout
        refused = product.berth("down", "--purge")
        assert refused.returncode == 1
        assert "Say --yes" in refused.stdout
        assert product.process.poll() is None
        done = product.berth("down", "--purge", "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        product.stop()
    after = objects(container_node)
    assert {key: after[key] for key in after if after[key] != before.get(key)} == {}
    assert set(after) == set(before)
    with psycopg.connect(own_servers["DATABASE_URL"]) as connection:
        assert connection.execute(state, [workload]).fetchall() == [("succeeded",)]
    assert (product.data_dir / "secret.key").exists()
    container_node.kubectl("delete", "namespace", "somebodys-own")
