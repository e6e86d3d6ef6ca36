"""What a cluster has and what of it is free, as arrays: one row a node, one column a device of it.

Rows are in the order of a hash of their names, so that whatever takes the first of several equals takes the same one
however the nodes came. A placement changes one row; freeing it restores the row exactly.
"""

import copy
import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.partitions import Partitions
from gpu.placement.sharing import Sharers
from gpu.placement.specs import WHOLE, Device, Near, Node, Placement, Request
from gpu.placement.topology import Topology


class Cluster:
    """Nodes and what is free on them; `seed` gives another order among equals.

    `cpu_free` (millicores), `memory_free` (MiB): (N,); `other_free`: (N, R) of the resources in `resources`. `left`:
    (N, G) thousandths of each device that nobody holds, 0 where a node has fewer devices and of partitioned ones.
    `idle` is the same without sick devices. `kind`: (N, G) index into `kinds`, the distinct (model, memory of a
    device), of no meaning where there is none. `state`: (N,) a hash of these, the same where rows are alike. `version`:
    (N,) the count of changes when a row last changed. `partitions` and `sharers` know what else is held of a device.
    Arrays of devices are laid out by column, which makes sums over the devices of each node four times as fast.
    """

    def __init__(self, nodes: Iterable[Node], *, seed: int = 0) -> None:
        self.nodes = sorted(nodes, key=lambda node: _order(node.name, seed))
        if len({node.name for node in self.nodes}) < len(self.nodes):
            raise ValueError("two nodes have one name")
        self._row = {node.name: row for row, node in enumerate(self.nodes)}
        self.cpu, self.memory = self._column("cpu_millicores"), self._column("memory_mib")
        self.cpu_free, self.memory_free = self.cpu.copy(), self.memory.copy()
        names = sorted({name for node in self.nodes for name in node.resources})
        self.resources = {name: at for at, name in enumerate(names)}
        self.other: Ints = np.array(
            [[node.resources.get(name, 0) for name in self.resources] for node in self.nodes], np.int64
        ).reshape(len(self.nodes), len(self.resources))
        self.other_free = self.other.copy()
        self._lay_out_devices()
        self.ready: Bools = np.ones(len(self.nodes), bool)
        self.version: Ints = np.zeros(len(self.nodes), np.int64)
        self.changes = 0
        self.state: Ints = np.array([self._state_of(row) for row in range(len(self.nodes))], np.int64)

    def _lay_out_devices(self) -> None:
        width = max((len(node.devices) for node in self.nodes), default=0) or 1
        shape = len(self.nodes), width
        found = [(row, at, device) for row, node in enumerate(self.nodes) for at, device in enumerate(node.devices)]
        self.kinds = sorted({_kind(device) for _row, _at, device in found}) or [("", 0)]
        number = {kind: index for index, kind in enumerate(self.kinds)}
        self.kind: Ints = np.zeros(shape, np.int64, order="F")
        self.exists: Bools = np.zeros(shape, bool, order="F")
        for row, at, device in found:
            self.exists[row, at], self.kind[row, at] = True, number[_kind(device)]
        self.partitions, self.sharers = Partitions(self.nodes, width), Sharers(shape)
        self.topology = Topology(self.nodes, width)
        self.plain = self.exists & (self.partitions.layout < 0)
        self.left: Ints = self.plain * np.int64(WHOLE)
        self.sick: Bools = np.zeros(shape, bool, order="F")
        self.idle: Ints = self.left.copy(order="K")

    def row_of(self, name: str) -> int:
        """Return a node's row. Raises KeyError."""
        return self._row[name]

    def admits(self, request: Request) -> Bools:
        """Return which kinds of devices a request allows: (K,). All of them where it asks for none."""
        return np.array(
            [
                not request.devices
                or ((not request.models or model in request.models) and memory >= request.device_memory_mib)
                for model, memory in self.kinds
            ],
            bool,
        )

    def usable(self, request: Request, at: Any = slice(None)) -> Bools:
        """Return which devices have room for what a request wants of each: (N, G), or of rows `at`."""
        if request.profile:
            return np.asarray(self._instances(request)[at] > 0)
        found: Bools = self.idle[at] >= request.share_milli
        if request.models or request.device_memory_mib:
            found &= self.admits(request)[self.kind[at]]
        if self.sharers.bounds(request):
            found &= self.sharers.admits(request, at)
        return found

    def fits(self, request: Request) -> Bools:
        """Return which nodes could take a request now: (N,). The same as where `copies` are."""
        found = self.ready.copy()
        for free, _all, amount in self._amounts(request):
            found &= free >= amount
        if request.devices:
            found &= self.topology.enough(self.usable(request), request.near, request.devices)
        return found

    def copies(self, request: Request, *, empty: bool = False) -> Ints:
        """Return how many such requests each node could take together now, or if it were empty and well: (N,).

        Each that is placed makes it one less, on whichever of the devices with room, so that these numbers say exactly
        how many fit.
        """
        found = np.full(len(self.nodes), np.iinfo(np.int64).max)
        for free, all_, amount in self._amounts(request):
            if amount:
                found = np.minimum(found, (all_ if empty else free) // amount)
        if request.devices:
            room = self._room_when_empty(request) if empty else self._room(request)
            found = np.minimum(found, self.topology.sets(room, request.near, request.devices))
        return found if empty else np.where(self.ready, found, 0)

    def copy(self) -> "Cluster":
        """Return a cluster of its own that is as this one is."""
        found = copy.copy(self)
        for name, values in vars(self).items():
            if isinstance(values, np.ndarray):
                setattr(found, name, values.copy(order="K"))
        found.sharers, found.partitions = self.sharers.copy(), self.partitions.copy()
        return found

    def take(self, placement: Placement) -> None:
        """Charge a placement to its node. Raises ValueError where it does not fit, and then has changed nothing."""
        row, devices, request = self._row[placement.node], list(placement.devices), placement.request
        fits = (
            self.ready[row]
            and all(free[row] >= amount for free, _all, amount in self._amounts(request))
            and len(set(devices)) == len(devices) == request.devices
            and (not devices or bool(self.usable(request, row)[devices].all()))
            and (not request.profile or not self._instance(placement) & self.partitions.taken[row, devices[0]])
        )
        if not fits:
            raise ValueError(f"{placement.node} has no room for it")
        self._move(placement, -1)

    def free(self, placement: Placement) -> None:
        """Give back what a placement holds; what sick devices get back stays withheld.

        Raises ValueError where nothing like it is held, and then has changed nothing.
        """
        row, devices, request = self._row[placement.node], list(placement.devices), placement.request
        if request.profile:
            slices = self._instance(placement)
            held = self.partitions.taken[row, devices[0]] & slices == slices
        else:
            free = self.left[row, devices] + request.share_milli
            held = bool((self.plain[row, devices] & (free <= WHOLE)).all())
            held = held and all(self.sharers.holds(row, device, request) for device in devices)
        if not held or not all(free[row] + amount <= all_[row] for free, all_, amount in self._amounts(request)):
            raise ValueError(f"{placement.node} holds no such thing")
        self._move(placement, 1)

    def device_sick(self, name: str, device: int, *, sick: bool = True) -> None:
        """Take a device out of placement, or back into it; who holds it keeps it."""
        row = self._row[name]
        self.sick[row, device] = sick
        self._changed(row)

    def node_ready(self, name: str, *, ready: bool) -> None:
        """Take a node out of placement, as when it is lost or stale, or back into it."""
        row = self._row[name]
        self.ready[row] = ready
        self._changed(row)

    def _room(self, request: Request) -> Ints:
        if request.profile:
            return self._instances(request)
        return np.where(self.usable(request), self.idle // request.share_milli, 0)

    def _room_when_empty(self, request: Request) -> Ints:
        admitted = self.admits(request)[self.kind]
        if request.profile:
            return self.partitions.room(request.profile, empty=True) * admitted
        return self.plain * admitted * (WHOLE // request.share_milli)

    def _instances(self, request: Request) -> Ints:
        room = self.partitions.room(request.profile) * self.admits(request)[self.kind]
        return np.where(self.sick, 0, room)

    def _instance(self, placement: Placement) -> int:
        """Return the slices of an instance. Raises ValueError where it may not be."""
        row = self._row[placement.node]
        return self.partitions.slices(row, placement.devices[0], placement.request.profile, placement.slot)

    def _amounts(self, request: Request) -> list[tuple[Ints, Ints, int]]:
        """Return (free, in all, asked for) of everything but devices: (N,), (N,) and a number."""
        found = [
            (self.cpu_free, self.cpu, request.cpu_millicores),
            (self.memory_free, self.memory, request.memory_mib),
        ]
        for name, amount in request.resources:
            found.append((self.of(self.other_free, name), self.of(self.other, name), amount))
        return found

    def of(self, amounts: Ints, name: str) -> Ints:
        """Return the column of a resource, (N,) of `other` or `other_free`; none of it where no node has any."""
        return amounts[:, self.resources[name]] if name in self.resources else np.zeros(len(self.nodes), np.int64)

    def _move(self, placement: Placement, sign: int) -> None:
        row, devices, request = self._row[placement.node], list(placement.devices), placement.request
        self.cpu_free[row] += sign * request.cpu_millicores
        self.memory_free[row] += sign * request.memory_mib
        for name, amount in request.resources:
            self.other_free[row, self.resources[name]] += sign * amount
        if request.profile:
            self.partitions.taken[row, devices[0]] ^= self._instance(placement)
        elif devices:
            self.left[row, devices] += sign * request.share_milli
        if request.is_share:
            (self.sharers.join if sign < 0 else self.sharers.leave)(row, devices[0], request)
        self._changed(row)

    def _changed(self, row: int) -> None:
        self.idle[row] = np.where(self.sick[row], 0, self.left[row])
        self.state[row] = self._state_of(row)
        self.changes += 1
        self.version[row] = self.changes

    def _state_of(self, row: int) -> int:
        """Return a hash of what scores are made of; what is equal in any other way does not matter to them."""
        numbers = np.array([self.cpu_free[row], self.memory_free[row]], np.int64).tobytes()
        devices = self.idle[row].tobytes() + self.kind[row].tobytes() + self.topology.group[Near.NODE][row].tobytes()
        return hash(numbers + devices + self.sharers.only[row].tobytes() + self.sharers.closed[row].tobytes())

    def _column(self, name: str) -> Ints:
        return np.array([getattr(node, name) for node in self.nodes], np.int64)


def _kind(device: Device) -> tuple[str, int]:
    return device.model, device.memory_mib


def _order(name: str, seed: int) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16, key=seed.to_bytes(8, "big")).digest()
