"""Which names of Kubernetes can be a resource type, and what follows from them."""

import pytest

from tenants import kubenames
from tenants.presets import KNOWN
from tenants.specs import Unit


@pytest.mark.parametrize(
    "name",
    [
        "rdma/hca",
        "xilinx.com/fpga-u250",
        "nvidia.com/mig-1g.10gb",
        "hugepages-2Mi",
        "hugepages-1Gi",
        "ephemeral-storage",
        "a/" + "b" * 63,
    ],
)
def test_names_that_pods_can_ask_for_are_taken(name: str) -> None:
    assert kubenames.nameable(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "cpu",
        "fpga",
        "/fpga",
        "xilinx.com/",
        "kubernetes.io/fpga",
        "device.kubernetes.io/fpga",
        "requests.xilinx.com/fpga",
        "Xilinx.com/fpga",
        "xilinx.com/fpga u250",
        "xilinx..com/fpga",
        "xilinx.com/fpga/u250",
        "a/" + "b" * 64,
        "a." * 126 + "a/b",
        "hugepages-0Mi",
        "hugepages-2",
        "limits.memory",
        "rdma/hca\n",
    ],
)
def test_names_that_kubernetes_would_refuse_or_means_otherwise_are_refused(name: str) -> None:
    assert not kubenames.nameable(name)


def test_unit_quota_key_and_step_follow_from_the_name() -> None:
    told = {
        name: (kubenames.unit_of(name), kubenames.quota_key_of(name), kubenames.step_of(name))
        for name in ("rdma/hca", "hugepages-2Mi", "hugepages-1Gi", "ephemeral-storage")
    }
    assert told == {
        "rdma/hca": (Unit.COUNT, "requests.rdma/hca", 1),
        "hugepages-2Mi": (Unit.MIB, "requests.hugepages-2Mi", 2),
        "hugepages-1Gi": (Unit.MIB, "requests.hugepages-1Gi", 1024),
        "ephemeral-storage": (Unit.MIB, "", 1),
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [("xilinx.com/fpga-u250", "fpga-u250"), ("nvidia.com/mig-1g.10gb", "mig-1g-10gb"), ("a/" + "B" * 63, "b" * 40)],
)
def test_a_key_is_made_of_what_follows_the_slash(name: str, key: str) -> None:
    assert kubenames.key_of(name) == key
    assert kubenames.key_valid(key)


def test_known_resources_could_be_added_as_they_are() -> None:
    assert all(kubenames.nameable(known.kube_name) and kubenames.key_valid(known.key) for known in KNOWN)
    assert len({known.key for known in KNOWN}) == len({known.kube_name for known in KNOWN}) == len(KNOWN)
