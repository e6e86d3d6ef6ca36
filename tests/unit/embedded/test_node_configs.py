"""What the node's parts are told: the promises that must not get lost in a change of their configuration."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.embedded.node import configs
from portal.embedded.node.containernode import is_node_ready
from portal.embedded.node.controlplane import ControlPlane
from portal.embedded.node.gpulabels import labels
from portal.embedded.node.inside import script
from portal.embedded.node.places import Places
from portal.embedded.node.rolespec import environment
from portal.embedded.node.subnets import Subnets

PLACES = Places(Path("/data/node"))
SUBNETS = Subnets(3)


def test_containerd_is_told_where_the_images_come_from() -> None:
    text = configs.containerd(PLACES, pause="registry.berth.internal/pause:1", cni_dir="/usr/lib/cni")
    told = tomllib.loads(text)
    assert told["version"] == 3
    assert told["root"] == "/data/node/containerd"
    images = told["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"] == {"sandbox": "registry.berth.internal/pause:1"}
    assert images["registry"] == {"config_path": "/data/node/config/registries"}


def test_containerd_makes_nothing_outside_the_nodes_data() -> None:
    told = tomllib.loads(configs.containerd(PLACES, pause="", cni_dir="/usr/lib/cni"))
    assert "io.containerd.internal.v1.opt" in told["disabled_plugins"]


def test_a_roles_own_programs_come_before_the_machines() -> None:
    assert environment(first_on_path=Path("/cache/containerd"))["PATH"].startswith("/cache/containerd:/usr/local/sbin:")
    assert environment()["PATH"].startswith("/usr/local/sbin:")


def test_the_registry_listens_where_pods_cannot_reach_it() -> None:
    assert configs.registry(PLACES)["http"] == {"addr": "127.0.0.1:5000"}


def test_the_kubelet_asks_who_is_there_and_stays_in_its_cgroup() -> None:
    told = configs.kubelet(PLACES, SUBNETS)
    assert told["authentication"]["anonymous"] == {"enabled": False}
    assert told["authorization"] == {"mode": "Webhook"}
    assert told["cgroupRoot"] == f"/{PLACES.cgroup}"
    assert told["readOnlyPort"] == 0


def test_pods_get_addresses_of_the_nodes_range_only() -> None:
    plug = configs.bridge(SUBNETS)["plugins"][0]
    assert plug["ipam"]["ranges"] == [[{"subnet": "10.202.3.0/24"}]]


def test_the_inside_lets_nothing_but_answers_out() -> None:
    text = script(PLACES, SUBNETS)
    assert 'oifname "eth0" ct state new drop' in text
    assert "mount --bind /data/node/kubelet /var/lib/kubelet" in text
    assert "default" not in text  # no default route: there is nowhere to go


def test_two_nodes_on_a_machine_never_see_each_others_pod_logs() -> None:
    text = script(PLACES, SUBNETS)
    assert "mount --bind /data/node/pod-logs /var/log/pods" in text
    assert "tmpfs /var/log/containers" in text


def plane(*, reachable: bool) -> str:
    made = ControlPlane(
        binary=Path("/cache/devcluster"), places=PLACES, address="10.201.3.2", port=6443, etcd_port=2379,
        peer_port=2380, services="10.208.48.0/20", reachable_by_pods=reachable, schedules_after=(),
    )  # fmt: skip
    return " ".join(made._apiserver())


def test_the_api_server_serves_nobody_without_a_name() -> None:
    assert "--anonymous-auth=false" in plane(reachable=True)
    assert "--authorization-mode=Node,RBAC" in plane(reachable=True)


def test_only_an_address_that_pods_reach_becomes_an_endpoint() -> None:
    assert "--endpoint-reconciler-type=lease" in plane(reachable=True)
    assert "--endpoint-reconciler-type=none" in plane(reachable=False)


def test_names_fit_the_kernels_limits() -> None:
    places = Places(Path("/a" * 200))
    assert len(places.link) <= 15
    assert places.cgroup != PLACES.cgroup


def test_label_values_of_gpus_are_valid_and_absent_without_gpus() -> None:
    told = labels(4, "NVIDIA-A100-SXM4-80GB")
    assert told["nvidia.com/gpu.count"] == "4"
    assert told["nvidia.com/gpu.memory"] == "81920"
    assert not any(" " in value for value in told.values())
    assert labels(0, "NVIDIA-A100-SXM4-80GB") == {}


@pytest.mark.parametrize(
    ("status", "gpus", "ready"),
    [
        ({"conditions": [{"type": "Ready", "status": "True"}]}, 0, True),
        ({"conditions": [{"type": "Ready", "status": "False"}]}, 0, False),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, 4, False),
        ({"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"nvidia.com/gpu": "4"}}, 4, True),
        ({}, 0, False),
    ],
)
def test_a_node_is_ready_with_all_its_gpus(status: dict[str, Any], gpus: int, ready: bool) -> None:
    for condition in status.get("conditions", []):
        condition["lastHeartbeatTime"] = "2026-01-01T10:00:00Z"
    assert is_node_ready(json.dumps({"status": status}), gpus=gpus) is ready


def test_gpus_that_an_earlier_kubelet_told_of_are_not_offered_yet() -> None:
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T10:00:00Z"}
    node = json.dumps({"status": {"conditions": [ready], "allocatable": {"nvidia.com/gpu": "4"}}})
    started = datetime(2026, 1, 1, 10, 0, 0, 900_000, tzinfo=UTC)
    assert is_node_ready(node, gpus=4, since=started)
    assert not is_node_ready(node, gpus=4, since=started + timedelta(seconds=1))
