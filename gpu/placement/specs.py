"""The words of placement: nodes with their devices, requests, and the two answers to one. Pure values."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

WHOLE = 1_000  # thousandths of a device


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node and what it offers when it is empty; its devices are of one model, by uuid in the node's own order.

    Nodes without a rack or a pool are together in one without a name.
    """

    name: str
    cpu_millicores: int
    memory_mib: int
    model: str = ""
    device_memory_mib: int = 0
    devices: tuple[str, ...] = ()
    rack: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one pod asks for: CPU, memory, and whole devices, or a share of one.

    Without `models` any will do; `device_memory_mib` is the least memory of each device.
    """

    cpu_millicores: int
    memory_mib: int
    devices: int = 0
    share_milli: int = WHOLE
    models: frozenset[str] = frozenset()
    device_memory_mib: int = 0

    @property
    def milli(self) -> int:
        """How much of devices it asks for, in thousandths of one."""
        return self.devices * self.share_milli

    @property
    def is_share(self) -> bool:
        """Tell whether it asks for a part of a device."""
        return self.devices > 0 and self.share_milli < WHOLE


class Level(enum.StrEnum):
    """How near to each other the pods of a gang must be."""

    ANY = "any"
    POOL = "pool"
    RACK = "rack"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gang:
    """So many pods that ask for the same and are placed together, all of them or none, within one such place."""

    request: Request
    pods: int
    within: Level = Level.ANY


class Terms(NamedTuple):
    """Why a node was chosen: how much idle capacity it keeps usable (`gain_milli`, more is better), how much of its
    model's free devices others are expected to need (`scarcity`, 0 to 1), and the `score` made of both."""

    gain_milli: float
    scarcity: float
    score: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes: the node's name, the indices of its devices there, and why."""

    request: Request
    node: str
    devices: tuple[int, ...]
    terms: Terms


class Cause(enum.StrEnum):
    """Why a node cannot take a request. The first that holds is counted, in this order: the lasting ones come first."""

    BAD_SHARE = "bad_share"  # not between 1 and 1000, or of several devices
    NODE_CPU = "node_cpu"  # more than the node has in all
    NODE_MEMORY = "node_memory"
    NODE_DEVICES = "node_devices"
    MODEL = "model"
    DEVICE_MEMORY = "device_memory"
    NOT_READY = "not_ready"
    SICK = "sick"  # healthy, its devices would do
    CPU = "cpu"  # taken by others now
    MEMORY = "memory"
    DEVICES = "devices"


LASTING = frozenset(list(Cause)[: list(Cause).index(Cause.NOT_READY)])


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing fits: `never` while the cluster is what it is, or not now; how many nodes lack what.

    Of a gang: how many pods it has, and for how many of them the place with most room has room now.
    """

    request: Request
    never: bool
    counts: Mapping[Cause, int] = field(default_factory=dict)
    pods: int = 1
    room: int = 0
