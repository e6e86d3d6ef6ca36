"""Clusters and requests to replay: folders in the format of openb, and a small cluster that is made here.

The format is that of cluster-trace-gpu-v2023 of Alibaba: `openb_node_list_gpu_node.csv` with sn, cpu_milli, memory_mib,
gpu, model; `openb_pod_list_<trace>.csv` with cpu_milli, memory_mib, num_gpu, gpu_milli and maybe gpu_spec.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gpu.placement.specs import WHOLE, Device, Node, Request

_NODES, _PODS = "openb_node_list_gpu_node.csv", "openb_pod_list_"
Key = tuple[int, int, int, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Trace:
    """A cluster, by name of its nodes, and the requests of a trace, by name of their pods.

    `lifetimes_s` has how long each of them lived; it is empty where the trace does not say.
    """

    name: str
    nodes: tuple[Node, ...]
    requests: tuple[Request, ...]
    lifetimes_s: tuple[int, ...] = ()

    @property
    def capacity_milli(self) -> int:
        """Thousandths of devices in the cluster."""
        return WHOLE * sum(len(node.devices) for node in self.nodes)


def traces_in(folder: Path) -> list[str]:
    """Return the names of the traces of a folder."""
    return sorted(path.stem.removeprefix(_PODS) for path in folder.glob(f"{_PODS}*.csv"))


def read_trace(folder: Path, name: str) -> Trace:
    """Read a trace. Raises OSError, and KeyError or ValueError where the format is another."""
    nodes = [_node(row) for row in _rows(folder / _NODES)]
    pods = sorted(_rows(folder / f"{_PODS}{name}.csv"), key=lambda row: row["name"])
    lifetimes = tuple(_lifetime_s(row) for row in pods if row.get("deletion_time"))
    requests = tuple(_request(row) for row in pods)
    in_order = tuple(sorted(nodes, key=lambda node: node.name))
    return Trace(name, in_order, requests, lifetimes if len(lifetimes) == len(pods) else ())


def arrivals(trace: Trace, ratio: float, rng: np.random.Generator) -> list[Request]:
    """Return the trace's requests shuffled, then more of them drawn, until `ratio` of all devices is asked for.

    Draws in the order of the reference simulator of FGD, so that the same seed gives the same sequence.
    """
    requests, target = trace.requests, ratio * trace.capacity_milli
    found = [requests[index] for index in rng.permutation(len(requests))]
    asked = sum(request.milli for request in found)
    while asked > target:
        asked -= found.pop(int(rng.integers(len(found)))).milli
    while True:
        request = requests[int(rng.integers(len(requests)))]
        if asked + request.share_milli * bool(request.devices) > target:
            return found
        asked += request.milli
        found.append(request)


def made_here(seed: int = 0, *, times: int = 1) -> Trace:
    """Return a cluster of 120 nodes of four models and a mix of requests for it, neither like any that was recorded.

    `times` as many of both, in the same parts.
    """
    rng = np.random.default_rng(seed)
    sizes = [("L40", 4, 64, 256), ("H100", 8, 128, 1024), ("A30", 2, 32, 128), ("L4", 1, 16, 64)]
    counts = (50, 30, 25, 15)
    nodes = [
        node_of(f"{model.lower()}-{n:03}", cores * 1_000, gib * 1_024, model, devices)
        for (model, devices, cores, gib), count in zip(sizes, counts, strict=True)
        for n in range(count * times)
    ]
    kinds = rng.choice(len(_MADE), 4_000 * times, p=np.array([weight for weight, _shape in _MADE]))
    lifetimes = tuple(int(found) for found in np.ceil(rng.lognormal(8, 1.5, len(kinds))))
    in_order = tuple(sorted(nodes, key=lambda node: node.name))
    return Trace("made-here", in_order, tuple(_MADE[kind][1] for kind in kinds), lifetimes)


def node_of(name: str, cpu_millicores: int, memory_mib: int, model: str, devices: int) -> Node:
    """Return a node with so many devices of one model."""
    found = tuple(Device(uuid=f"{name}-{index}", model=model) for index in range(devices))
    return Node(name=name, cpu_millicores=cpu_millicores, memory_mib=memory_mib, devices=found)


def model_of(node: Node) -> str:
    """Return the model of a node's devices, which is one in a trace; nothing where there are none."""
    return node.devices[0].model if node.devices else ""


def key_of(request: Request) -> Key:
    """Return what makes requests one class of a trace: millicores, devices, share in thousandths, models."""
    share = request.share_milli if request.devices else 0
    return request.cpu_millicores, request.devices, share, request.models


def _shape(cores: float, gib: int, devices: int, share: int = WHOLE, models: Sequence[str] = ()) -> Request:
    cpu, memory = int(cores * 1_000), gib * 1_024
    return Request(cpu_millicores=cpu, memory_mib=memory, devices=devices, share_milli=share, models=frozenset(models))


_MADE = (
    (0.30, _shape(10, 32, 1)),
    (0.12, _shape(6, 24, 1)),
    (0.08, _shape(14, 48, 1, models=["H100"])),
    (0.05, _shape(4, 16, 1, models=["A30", "L4"])),
    (0.12, _shape(3, 8, 1, 250)),
    (0.09, _shape(5, 16, 1, 400)),
    (0.07, _shape(8, 24, 1, 700)),
    (0.05, _shape(24, 96, 2)),
    (0.02, _shape(48, 160, 4)),
    (0.02, _shape(100, 700, 8)),
    (0.08, _shape(8, 16, 0)),
)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _lifetime_s(row: dict[str, str]) -> int:
    return max(1, int(float(row["deletion_time"])) - int(float(row["creation_time"])))


def _node(row: dict[str, str]) -> Node:
    return node_of(row["sn"], int(row["cpu_milli"]), int(row["memory_mib"]), row["model"], int(row["gpu"]))


def _request(row: dict[str, str]) -> Request:
    devices = int(row["num_gpu"])
    return Request(
        cpu_millicores=int(row["cpu_milli"]),
        memory_mib=int(row["memory_mib"]),
        devices=devices,
        share_milli=int(row["gpu_milli"]) if devices else WHOLE,
        models=frozenset((row.get("gpu_spec") or "").split("|")) - {""} if devices else frozenset(),
    )
