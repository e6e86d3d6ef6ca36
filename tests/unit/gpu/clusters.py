"""Nodes and requests for tests of placement."""

from dataclasses import replace
from typing import Any

from gpu.placement.cluster import Cluster
from gpu.placement.mig import A30, A100_40GB
from gpu.placement.specs import WHOLE, Device, Node, Request


def node(
    name: str, devices: int = 4, *, cpu: int = 32_000, memory: int = 131_072, model: str = "T4", rack: str = ""
) -> Node:
    """A node in a rack, and in the pool of the first letter of that."""
    found = tuple(Device(uuid=f"{name}-{at}", model=model, memory_mib=16_384) for at in range(devices))
    return Node(name=name, cpu_millicores=cpu, memory_mib=memory, devices=found, rack=rack, pool=rack[:1])


def asks(devices: int = 1, share: int = WHOLE, *, cpu: int = 4_000, memory: int = 8_192, **more: Any) -> Request:
    return Request(cpu_millicores=cpu, memory_mib=memory, devices=devices, share_milli=share, **more)


def several(count: int = 4, **more: Any) -> list[Node]:
    return [node(f"n{number}", **more) for number in range(count)]


def mixed() -> Cluster:
    """Three models, nodes of one, four and eight devices, and one without any."""
    models = [
        *(node(f"a{n}", 8, cpu=96_000, memory=393_216, model="A100") for n in range(4)),
        *(node(f"t{n}", 4, cpu=24_000, memory=131_072, model="T4") for n in range(6)),
        *(node(f"p{n}", 1, cpu=16_000, memory=65_536, model="P100") for n in range(5)),
        node("c0", 0, cpu=64_000),
    ]
    return Cluster(models)


def varied() -> Cluster:
    """Nodes whose devices differ: by NVLink, NUMA node and PCIe root, by model, partitioned, with other resources."""
    linked = tuple(
        Device(uuid=f"v{at}", model="A100", memory_mib=40_960, nvlink=at // 4, numa=at // 4, pcie=at // 2)
        for at in range(8)
    )
    ring = tuple(replace(device, uuid=f"r{at}", nvlink=0) for at, device in enumerate(linked))
    desk = (*(Device(uuid=f"d{at}", model="T4", memory_mib=16_384, numa=at) for at in range(2)), *linked[:2])
    parted = (
        *(Device(uuid=f"m{at}", model="A100", memory_mib=40_960, mig=A100_40GB) for at in range(2)),
        *(Device(uuid=f"n{at}", model="A30", memory_mib=24_576, mig=A30) for at in range(2)),
        Device(uuid="m4", model="A100", memory_mib=40_960),
    )
    nodes = [
        Node(name=f"v{n}", cpu_millicores=96_000, memory_mib=393_216, devices=devices, rack=f"{n % 2}", resources=more)
        for n, (devices, more) in enumerate([(linked, {}), (linked, {"rdma/hca": 4}), (ring, {"rdma/hca": 1})])
    ]
    nodes += [Node(name=f"d{n}", cpu_millicores=24_000, memory_mib=131_072, devices=desk) for n in range(2)]
    nodes += [Node(name=f"m{n}", cpu_millicores=48_000, memory_mib=131_072, devices=parted) for n in range(2)]
    return Cluster(nodes)
