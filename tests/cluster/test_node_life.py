"""A node leaves nothing behind, however it ends, finds its data again, and does not meet another one on the machine."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.embedded.node.cgroups import hierarchies
from portal.embedded.node.places import Places
from portal.embedded.node.processes import start_ticks
from tests.plugins.clusters import ROOT, RunningCluster, node_command, start_cluster
from tests.plugins.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.faults]


def traces(state_dir: Path) -> list[str]:
    """Return what of a node is still on this machine, cgroups apart."""
    places = Places(state_dir)
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True).stdout
    mounts = Path("/proc/mounts").read_text()
    found = [line for line in (links + routes).splitlines() if places.link in line]
    found += [line for line in mounts.splitlines() if str(state_dir) in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and str(state_dir) in _command_of(entry):
            found.append(f"{entry.name} {_command_of(entry)}")
    return found


def _command_of(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def cgroups_of(state_dir: Path) -> list[Path]:
    return [path for tree in hierarchies() if (path := tree.path / Places(state_dir).cgroup).exists()]


def run_node(command: str, cluster: RunningCluster) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = node_command(command, cluster.state_dir, *(["--binary", str(cluster.binary)] if command == "up" else []))
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment, timeout=60)


def sleeper(cluster: RunningCluster) -> dict[str, object]:
    main = {"name": "main", "image": cluster.images["busybox"], "command": ["sleep", "600"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sleeper", "namespace": "default"},
        "spec": {"containers": [main], "restartPolicy": "Never"},
    }


def wait_for_sleeper(cluster: RunningCluster) -> None:
    path = "/api/v1/namespaces/default/pods/sleeper"
    until("the pod runs", lambda: cluster.api.get(path).body["status"].get("phase") == "Running", timeout_s=30)


@pytest.fixture
def node(cluster_binary: Path) -> Iterator[RunningCluster]:
    """A node of the test's own, with a running pod."""
    cluster = start_cluster(cluster_binary)
    cluster.create(sleeper(cluster))
    wait_for_sleeper(cluster)
    yield cluster
    cluster.stop()


def test_after_down_nothing_is_left(node: RunningCluster) -> None:
    assert traces(node.state_dir) != []
    assert cgroups_of(node.state_dir) != []
    done = run_node("down", node)
    assert done.returncode == 0, done.stderr
    until("the foreground process ends", lambda: node.process.poll() is not None, timeout_s=5)
    assert traces(node.state_dir) == []
    assert cgroups_of(node.state_dir) == []


def test_after_a_kill_only_cgroups_are_left_and_the_next_start_finds_its_data(node: RunningCluster) -> None:
    node.process.send_signal(signal.SIGKILL)
    node.process.wait()
    until("processes, link, routes and mounts are gone", lambda: traces(node.state_dir) == [], timeout_s=15)
    again = start_cluster(node.binary, state_dir=node.state_dir)
    try:
        assert again.api.get("/api/v1/namespaces/default/pods/sleeper").status == 200
        done = run_node("down", again)
        assert done.returncode == 0, done.stderr
        assert cgroups_of(node.state_dir) == []
    finally:
        again.stop()


def test_killing_every_process_at_once_leaves_nothing_either(node: RunningCluster) -> None:
    pids = [node.process.pid, *node.roles().values()]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # ended along with one killed before it
            os.kill(pid, signal.SIGKILL)
    node.process.wait()
    until("processes, link, routes and mounts are gone", lambda: traces(node.state_dir) == [], timeout_s=15)
    done = run_node("down", node)
    assert done.returncode == 0, done.stderr
    assert cgroups_of(node.state_dir) == []


def test_a_second_start_on_the_same_data_is_refused(control_plane: RunningCluster) -> None:
    done = run_node("up", control_plane)
    assert done.returncode == 1
    assert "is running already" in done.stderr


def test_two_nodes_on_one_machine_do_not_meet(container_node: RunningCluster, node: RunningCluster) -> None:
    assert node.api_url != container_node.api_url
    for cluster in (container_node, node):
        assert cluster.api.get("/api/v1/nodes/berth-node").body["status"]["addresses"][0]["address"] in cluster.api_url
    assert "sleeper" not in container_node.kubectl("get", "pods", "--all-namespaces")


def test_the_control_plane_alone_keeps_its_objects_and_ends_with_its_keeper(cluster_binary: Path) -> None:
    first = start_cluster(cluster_binary, "--alone")
    first.kubectl("create", "namespace", "kept")
    pids = first.roles().values()
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    until("the roles end with their keeper", lambda: not any(start_ticks(pid) for pid in pids), timeout_s=10)
    second = start_cluster(cluster_binary, "--alone", state_dir=first.state_dir)
    try:
        assert second.api_url == first.api_url
        assert second.api.get("/api/v1/namespaces/kept").status == 200
    finally:
        second.stop()
