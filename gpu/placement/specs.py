"""The words of placement: nodes with their devices, requests, and the two answers to one. Pure values."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gpu.placement.mig import MigLayout

WHOLE = 1_000  # thousandths of a device


class Near(enum.StrEnum):
    """How near to each other the devices of one pod must be. They are always of one model on one node."""

    NODE = "node"
    NUMA = "numa"
    PCIE = "pcie"
    NVLINK = "nvlink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device, and what it is near to: the numbers count within its node, None is near to no other.

    One with `mig` is partitioned: it gives instances of that layout's profiles, and nothing else.
    """

    uuid: str
    model: str = ""
    memory_mib: int = 0
    nvlink: int | None = None
    numa: int | None = 0
    pcie: int | None = 0
    mig: MigLayout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node and what it offers when it is empty; its devices are in the node's own order.

    Nodes without a rack or a pool are together in one without a name. `resources`: whole units of anything else.
    """

    name: str
    cpu_millicores: int
    memory_mib: int
    devices: tuple[Device, ...] = ()
    rack: str = ""
    pool: str = ""
    resources: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one pod asks for: CPU, memory, and whole devices, a share of one, or an instance of a partitioned one.

    Without `models` any will do; `device_memory_mib` is the least memory of each device. `profile` names the instance.
    Shares of different tenants meet on a device only if all who hold some of it allow that (`shares_with_others`).
    Raises ValueError for less than nothing, and for an instance of no device.
    """

    cpu_millicores: int
    memory_mib: int
    devices: int = 0
    share_milli: int = WHOLE
    models: frozenset[str] = frozenset()
    device_memory_mib: int = 0
    profile: str = ""
    near: Near = Near.NODE
    tenant: str = ""
    shares_with_others: bool = True
    resources: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        amounts = (self.cpu_millicores, self.memory_mib, self.devices, self.device_memory_mib)
        if min(*amounts, *(amount for _name, amount in self.resources)) < 0:
            raise ValueError("nobody asks for less than nothing")
        if self.profile and not self.devices:
            raise ValueError(f"an instance {self.profile} is of a device")

    @property
    def milli(self) -> int:
        """How much of devices that are not partitioned it asks for, in thousandths of one."""
        return 0 if self.profile else self.devices * self.share_milli

    @property
    def is_share(self) -> bool:
        """Tell whether it asks for a part of a device."""
        return self.devices > 0 and self.share_milli < WHOLE and not self.profile


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
    model's devices others are expected to need (`scarcity`, 0 to 1), and the `score` made of both."""

    gain_milli: float
    scarcity: float
    score: float


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes: the node's name, the indices of its devices there, and why.

    `slot` is the first memory slice of an instance of a partitioned device, -1 of anything else.
    """

    request: Request
    node: str
    devices: tuple[int, ...]
    terms: Terms
    slot: int = -1


class Cause(enum.StrEnum):
    """Why a node cannot take a request. The first that holds is counted, in this order: the lasting ones come first."""

    BAD_SHARE = "bad_share"  # not between 1 and 1000, or of several devices, or several instances
    NODE_CPU = "node_cpu"  # more than the node has in all
    NODE_MEMORY = "node_memory"
    NODE_RESOURCES = "node_resources"
    NODE_DEVICES = "node_devices"
    MODEL = "model"
    DEVICE_MEMORY = "device_memory"
    NODE_NEAR = "node_near"  # not so many devices of a model so near to each other
    NOT_READY = "not_ready"
    SICK = "sick"  # healthy, its devices would do
    CPU = "cpu"  # taken by others now
    MEMORY = "memory"
    RESOURCES = "resources"
    DEVICES = "devices"
    NEAR = "near"  # enough are free, but too far from each other
    SHARING = "sharing"  # room is there, on devices whose holders do not share, or not with this one


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
