"""Nodes and requests for tests of placement."""

from typing import Any

from gpu.placement.cluster import Cluster
from gpu.placement.specs import WHOLE, Node, Request


def node(
    name: str, devices: int = 4, *, cpu: int = 32_000, memory: int = 131_072, model: str = "T4", rack: str = ""
) -> Node:
    """A node in a rack, and in the pool of the first letter of that."""
    return Node(
        name=name,
        cpu_millicores=cpu,
        memory_mib=memory,
        model=model,
        device_memory_mib=16_384,
        devices=tuple(f"{name}-{index}" for index in range(devices)),
        rack=rack,
        pool=rack[:1],
    )


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
