"""Nodes as rows: exact amounts, odd ones as nothing, gone ones removed."""

from typing import Any

import msgspec
import pytest

from gpu.models import Node
from gpu.reconcile import node_row, nodes_keep, nodes_write
from portal.kube import types

pytestmark = pytest.mark.django_db


def node(name: str = "n1", **status: Any) -> types.Node:
    body = {
        "metadata": {"name": name, "uid": f"uid-{name}", "labels": {"nvidia.com/gpu.product": "NVIDIA-A100"}},
        "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {
            "allocatable": {"cpu": "1930m", "memory": "3919920Ki", "pods": "110", "nvidia.com/gpu": "4"},
            "conditions": [{"type": "Ready", "status": "True"}],
            "nodeInfo": {"containerRuntimeVersion": "containerd://1.6.20", "kubeletVersion": "v1.36.3"},
            **status,
        },
    }
    return msgspec.convert(body, types.Node)


def test_a_node_s_amounts_are_in_our_units_rounded_down() -> None:
    nodes_write([node_row(node())])
    row = Node.objects.get()
    assert (row.cpu_millicores, row.memory_mib, row.pods, row.gpus, row.ready) == (1930, 3828, 110, 4, True)
    assert (row.gpu_product, row.runtime_version) == ("NVIDIA-A100", "containerd://1.6.20")
    assert row.taints == [{"key": "k", "value": "", "effect": "NoSchedule"}]


@pytest.mark.parametrize("amount", ["many", "-3", "9e99", ""])
def test_an_odd_amount_does_no_harm(amount: str) -> None:
    nodes_write([node_row(node(allocatable={"cpu": amount, "memory": amount, "pods": amount}))])
    row = Node.objects.get()
    assert 0 <= row.pods < 2**31


def test_a_changed_node_keeps_its_row_and_a_gone_one_loses_it() -> None:
    nodes_write([node_row(node("n1")), node_row(node("n2"))])
    before = Node.objects.get(name="n1").pk
    nodes_write([node_row(node("n1", conditions=[{"type": "Ready", "status": "Unknown"}]))])
    assert nodes_keep(["n1"]) == 1
    row = Node.objects.get()
    assert (row.pk, row.ready) == (before, False)


def test_a_heartbeat_makes_no_difference() -> None:
    beat: dict[str, Any] = {
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-24T10:00:00Z"}]
    }
    assert node_row(node()) == node_row(node(**beat))
