"""What is near to what inside a node: groups of devices of one model by NVLink, NUMA node and PCIe root.

Bandwidth falls in that order on machines with NVLink, so that devices are chosen by it: at each level the group with
enough of them and least to spare is taken, and larger ones stay whole for who needs them.
"""

from collections.abc import Sequence

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.specs import Near, Node

ORDER = (Near.NVLINK, Near.NUMA, Near.PCIE)


class Topology:
    """`group`: by level (N, G) the number of each device's group within its node, -1 where there is no device. At the
    level of the node the groups are the models. `count`: by level the most groups that a node has."""

    def __init__(self, nodes: Sequence[Node], width: int) -> None:
        self.group: dict[Near, Ints] = {level: np.full((len(nodes), width), -1, np.int64, order="F") for level in Near}
        for row, node in enumerate(nodes):
            for level, group in self.group.items():
                group[row, : len(node.devices)] = _numbers(node, level)
        self.count = {level: int(group.max(initial=0)) + 1 for level, group in self.group.items()}
        linked = any(device.nvlink is not None for node in nodes for device in node.devices)
        self.is_flat = not linked and self.count[Near.NODE] == self.count[Near.NUMA] == self.count[Near.PCIE]

    def enough(self, usable: Bools, near: Near, devices: int, rows: Ints | None = None) -> Bools:
        """Return which nodes have so many usable devices so near to each other: usable (R, G), rows (R,) → (R,)."""
        if self.count[near] == 1 or devices < 2:
            return np.asarray(usable.sum(1) >= devices)
        return self.sets(usable, near, devices, rows) > 0

    def sets(self, amounts: Ints | Bools, near: Near, devices: int, rows: Ints | None = None) -> Ints:
        """Return how many sets of so many near devices there are, each device in so many of them as it has amount."""
        if self.count[near] == 1 or devices == 1:
            return np.asarray(amounts.sum(1) // devices)
        group = self.group[near] if rows is None else self.group[near][rows]
        found: Ints = np.zeros(len(amounts), np.int64)
        for number in range(self.count[near]):
            found += (amounts * (group == number)).sum(1) // devices
        return found

    def levels(self, usable: Bools, devices: int, rows: Ints) -> Ints:
        """Return at how many levels so many usable devices lie in one group: usable (R, G), rows (R,) → (R,)."""
        found: Ints = np.zeros(len(rows), np.int64)
        for level in ORDER:
            found += self.enough(usable, level, devices, rows)
        return found

    def nearest(self, row: int, usable: Bools, near: Near, devices: int) -> tuple[int, ...]:
        """Return so many of a row's usable devices (G,), as near to each other as they can be, within `near` at least.

        There are enough of them there.
        """
        chosen, apart = np.flatnonzero(usable), list[Ints]()
        for level in () if self.is_flat else (near, *ORDER):
            group = self.group[level][row]
            sizes = np.bincount(group[chosen], minlength=len(group))
            roomy = np.flatnonzero(sizes >= devices)
            if len(roomy):
                chosen = chosen[group[chosen] == roomy[np.argmin(sizes[roomy])]]
            else:  # no group has enough: from as few as can be, the largest first
                apart += [-sizes[group], np.where(sizes[group] > 1, group, 0)]
        if apart:
            chosen = chosen[np.lexsort((chosen, *(key[chosen] for key in reversed(apart))))]
        return tuple(sorted(chosen[:devices].tolist()))


def _numbers(node: Node, level: Near) -> list[int]:
    """Return the group of each device: those of one model that are near to each other have one number."""
    found: dict[tuple[object, ...], int] = {}
    numbers = []
    for at, device in enumerate(node.devices):
        place = 0 if level is Near.NODE else getattr(device, level.value)
        alone = ("alone", at) if place is None else ("in", place)
        numbers.append(found.setdefault((device.model, device.memory_mib, *alone), len(found)))
    return numbers
