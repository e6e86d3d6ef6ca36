"""What a cluster has and what of it is free, as arrays: one row a node, one column a device of it.

Rows are in the order of a hash of their names, so that whatever takes the first of several equals takes the same one
however the nodes came. A placement changes one row; freeing it restores the row exactly.
"""

import copy
import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from gpu.placement.specs import WHOLE, Node, Placement, Request

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Cluster:
    """Nodes and what is free on them; `seed` gives another order among equals.

    `cpu_free` (millicores), `memory_free` (MiB): (N,). `left`: (N, G) thousandths of each device that nobody holds, 0
    where a node has fewer devices. `idle` is the same without sick devices. `kind`: (N,) index into `kinds`, the
    distinct (model, memory of a device), of no meaning where there are none. `state`: (N,) a hash of all of these, the
    same where rows are alike. `version`: (N,) the count of changes when a row last changed.
    """

    def __init__(self, nodes: Iterable[Node], *, seed: int = 0) -> None:
        self.nodes = sorted(nodes, key=lambda node: _order(node.name, seed))
        if len({node.name for node in self.nodes}) < len(self.nodes):
            raise ValueError("two nodes have one name")
        width = max((len(node.devices) for node in self.nodes), default=0)
        self.cpu, self.memory = self._column("cpu_millicores"), self._column("memory_mib")
        self.cpu_free, self.memory_free = self.cpu.copy(), self.memory.copy()
        self.device_count: Ints = np.array([len(node.devices) for node in self.nodes], np.int64)
        self.exists: Bools = np.arange(width) < self.device_count[:, None]
        self.left: Ints = self.exists * np.int64(WHOLE)
        self.sick: Bools = np.zeros_like(self.exists)
        self.idle: Ints = self.left.copy()
        self.ready: Bools = np.ones(len(self.nodes), bool)
        self.kinds = sorted({(node.model, node.device_memory_mib) for node in self.nodes if node.devices}) or [("", 0)]
        place = {kind: index for index, kind in enumerate(self.kinds)}
        kinds = [place.get((node.model, node.device_memory_mib), 0) for node in self.nodes]
        self.kind: Ints = np.array(kinds, np.int64)
        self.version: Ints = np.zeros(len(self.nodes), np.int64)
        self.changes = 0
        self.state: Ints = np.array([self._state_of(row) for row in range(len(self.nodes))], np.int64)
        self._row = {node.name: row for row, node in enumerate(self.nodes)}

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

    def copies(self, request: Request, *, empty: bool = False) -> Ints:
        """Return how many such requests each node could take together now, or if it were empty and well: (N,).

        Each that is placed makes it one less, on whichever of the devices with room, so that these numbers say exactly
        how many fit.
        """
        free = (self.cpu_free, self.memory_free, self.idle)
        cpu, memory, idle = (self.cpu, self.memory, self.exists * WHOLE) if empty else free
        found = np.full(len(self.nodes), np.iinfo(np.int64).max)
        if request.cpu_millicores:
            found = np.minimum(found, cpu // request.cpu_millicores)
        if request.memory_mib:
            found = np.minimum(found, memory // request.memory_mib)
        if request.devices:
            found = np.minimum(found, (idle // request.share_milli).sum(1) // request.devices)
            found = np.where(self.admits(request)[self.kind], found, 0)
        return found if empty else np.where(self.ready, found, 0)

    def copy(self) -> "Cluster":
        """Return a cluster of its own that is as this one is."""
        found = copy.copy(self)
        for name, values in vars(self).items():
            if isinstance(values, np.ndarray):
                setattr(found, name, values.copy())
        return found

    def take(self, placement: Placement) -> None:
        """Charge a placement to its node. Raises ValueError where it does not fit, and then has changed nothing."""
        row, devices, request = self._row[placement.node], list(placement.devices), placement.request
        fits = (
            self.ready[row]
            and self.cpu_free[row] >= request.cpu_millicores
            and self.memory_free[row] >= request.memory_mib
            and len(set(devices)) == len(devices) == request.devices
            and (self.idle[row, devices] >= request.share_milli).all()
        )
        if not fits:
            raise ValueError(f"{placement.node} has no room for it")
        self._move(row, devices, request, -1)

    def free(self, placement: Placement) -> None:
        """Give back what a placement holds; what sick devices get back stays withheld.

        Raises ValueError where more would be free than there is.
        """
        row, devices, request = self._row[placement.node], list(placement.devices), placement.request
        held = (
            self.cpu_free[row] + request.cpu_millicores <= self.cpu[row]
            and self.memory_free[row] + request.memory_mib <= self.memory[row]
            and (self.left[row, devices] + request.share_milli <= WHOLE).all()
        )
        if not held:
            raise ValueError(f"{placement.node} holds no such thing")
        self._move(row, devices, request, 1)

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

    def _move(self, row: int, devices: list[int], request: Request, sign: int) -> None:
        self.cpu_free[row] += sign * request.cpu_millicores
        self.memory_free[row] += sign * request.memory_mib
        self.left[row, devices] += sign * request.share_milli
        self._changed(row)

    def _changed(self, row: int) -> None:
        self.idle[row] = np.where(self.sick[row], 0, self.left[row])
        self.state[row] = self._state_of(row)
        self.changes += 1
        self.version[row] = self.changes

    def _state_of(self, row: int) -> int:
        numbers = np.array([self.cpu_free[row], self.memory_free[row], self.kind[row]], np.int64).tobytes()
        return hash(numbers + self.idle[row].tobytes())

    def _column(self, name: str) -> Ints:
        return np.array([getattr(node, name) for node in self.nodes], np.int64)


def _order(name: str, seed: int) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16, key=seed.to_bytes(8, "big")).digest()
