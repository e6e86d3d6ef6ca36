"""Three nodes that only play scripts, in a real control plane: pods run, end, log and fall silent with their node."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.clusters import RunningCluster, start_cluster
from tests.plugins.polling import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
END_S = 60.0
NODE_LOST_S = 120.0  # the cluster waits for 50 s before it calls a silent node lost
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def nodes(cluster_binary: Path) -> Iterator[RunningCluster]:
    """A cluster of three scripted nodes with eight GPUs each."""
    cluster = start_cluster(cluster_binary, "--scripted", "3", "--gpus", "8")
    yield cluster
    cluster.stop()


def pod(name: str, script: dict[str, Any], **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "none", "resources": {"limits": spec.pop("limits", {})}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {"berth.dev/script": json.dumps(script)}},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }


def status(cluster: RunningCluster, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(cluster.kubectl("get", "pod", name, "-o", "json"))["status"]
    return told


def ended(cluster: RunningCluster, name: str) -> tuple[int, str]:
    until(f"{name} has ended", lambda: status(cluster, name)["phase"] in ("Succeeded", "Failed"), timeout_s=END_S)
    told = status(cluster, name)["containerStatuses"][0]["state"]["terminated"]
    return told["exitCode"], told["reason"]


def ready_of(cluster: RunningCluster, node: str) -> str:
    conditions = json.loads(cluster.kubectl("get", "node", node, "-o", "json"))["status"]["conditions"]
    return str(next(each["status"] for each in conditions if each["type"] == "Ready"))


def test_pods_are_scheduled_run_and_end_as_their_scripts_say(nodes: RunningCluster) -> None:
    nodes.create(
        pod("succeeds", {"run_s": 2, "lines_at_start": 3}),
        pod("fails", {"run_s": 1, "exit_code": 3}),
        pod("hog", {"run_s": 1, "end": "oom"}),
        pod("unwanted", {"run_s": 1, "end": "evicted"}),
    )
    assert ended(nodes, "succeeds") == (0, "Completed")
    assert ended(nodes, "fails") == (3, "Error")
    assert ended(nodes, "hog") == (137, "OOMKilled")
    until("it is evicted", lambda: status(nodes, "unwanted").get("reason") == "Evicted", timeout_s=END_S)
    assert nodes.kubectl("logs", "succeeds") == "".join(f"line {n} of succeeds\n" for n in (1, 2, 3))
    assert nodes.kubectl("logs", "succeeds", "--tail=1") == "line 3 of succeeds\n"


def test_a_log_is_followed_to_its_end(nodes: RunningCluster) -> None:
    nodes.create(pod("talks", {"run_s": 4, "lines_per_s": 5, "line": "{n}"}))
    until("it runs", lambda: status(nodes, "talks")["phase"] == "Running", timeout_s=END_S)
    assert nodes.kubectl("logs", "--follow", "talks").split() == [str(n) for n in range(1, 22)]


def test_a_job_of_many_pods_completes(nodes: RunningCluster) -> None:
    template = pod("none", {"run_s": 1})
    spec = {"template": {"metadata": template["metadata"], "spec": template["spec"]}}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "many"}, "spec": spec}
    del template["metadata"]["name"]
    nodes.create({**manifest, "spec": {**spec, "completions": 20, "parallelism": 20}})
    nodes.kubectl("wait", "--for=condition=complete", "job/many", "--timeout=50s")


def test_a_node_gives_out_no_more_gpus_than_it_has(nodes: RunningCluster) -> None:
    names = [f"gpu-{n}" for n in range(4)]
    nodes.create(*(pod(name, {"end": "never"}, limits={GPU: "8"}) for name in names))

    def phases() -> list[str]:
        return sorted(status(nodes, name)["phase"] for name in names)

    until("all but one run", lambda: phases() == ["Pending", "Running", "Running", "Running"], timeout_s=END_S)
    nodes.kubectl("delete", "pods", *names, "--timeout=50s")


def test_a_silent_node_is_lost_and_comes_back_with_what_happened_meanwhile(nodes: RunningCluster) -> None:
    silent = "scripted-0002"
    nodes.create(pod("away", {"run_s": 20}, nodeName=silent))
    until("it runs", lambda: status(nodes, "away")["phase"] == "Running", timeout_s=END_S)
    control = nodes.state_dir / "scripted.json"
    control.write_text(json.dumps({"silent": [silent]}))
    until("the node is lost", lambda: ready_of(nodes, silent) == "Unknown", timeout_s=NODE_LOST_S, every_s=1.0)
    assert status(nodes, "away")["phase"] == "Running"
    with pytest.raises(AssertionError, match="Error from server"):
        nodes.kubectl("logs", "away")
    control.unlink()
    until("the node is back", lambda: ready_of(nodes, silent) == "True", timeout_s=END_S)
    assert ended(nodes, "away") == (0, "Completed")


def test_a_process_that_starts_anew_goes_on_where_the_time_has_got_to(nodes: RunningCluster) -> None:
    nodes.create(pod("survivor", {"run_s": 8}))
    until("it runs", lambda: status(nodes, "survivor")["phase"] == "Running", timeout_s=END_S)
    subprocess.run(["kill", "-KILL", str(nodes.roles()["scripted-nodes"])], check=True)
    assert ended(nodes, "survivor") == (0, "Completed")
    assert nodes.kubectl("logs", "survivor") == "line 1 of survivor\n"
