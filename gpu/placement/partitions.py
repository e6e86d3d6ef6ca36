"""Which slices of partitioned devices are held: a bit set a device, of the layout that it has."""

import copy
from collections.abc import Sequence

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.mig import bits_of
from gpu.placement.specs import Node


class Partitions:
    """`layout`: (N, G) index into `layouts`, -1 where a device is not partitioned; `taken`: (N, G) slices held."""

    def __init__(self, nodes: Sequence[Node], width: int) -> None:
        self.layout: Ints = np.full((len(nodes), width), -1, np.int64, order="F")
        self.layouts = list(dict.fromkeys(device.mig for node in nodes for device in node.devices if device.mig))
        number = {layout: at for at, layout in enumerate(self.layouts)}
        for row, node in enumerate(nodes):
            for at, device in enumerate(node.devices):
                self.layout[row, at] = number[device.mig] if device.mig else -1
        self.taken: Ints = np.zeros_like(self.layout)

    def room(self, profile: str, *, empty: bool = False) -> Ints:
        """Return how many more instances of a profile fit on each device, or if it were empty: (N, G)."""
        found: Ints = np.zeros_like(self.taken)
        for number, layout in enumerate(self.layouts):
            if profile in layout.profiles:
                of_it = self.layout == number
                found[of_it] = layout.room[profile][0 if empty else self.taken[of_it]]
        return found

    def best(self, profile: str, usable: Bools) -> tuple[float, int, int, int]:
        """Return (worth lost, row, device, start) of the instance that leaves most for others.

        Of `usable` devices (N, G) and the first among equals. Raises ValueError where there are none.
        """
        choices: dict[tuple[int, int], tuple[float, int, int, int]] = {}  # one for all devices that are alike
        for row, device in zip(*(places.tolist() for places in np.nonzero(usable)), strict=True):
            alike = int(self.layout[row, device]), int(self.taken[row, device])
            choices.setdefault(alike, (*self.layouts[alike[0]].start_of(profile, alike[1]), row, device))
        worth, start, row, device = min(choices.values(), key=lambda choice: (choice[0], choice[2], choice[3]))
        return worth, row, device, start

    def slices(self, row: int, device: int, profile: str, start: int) -> int:
        """Return the slices of an instance as a bit set. Raises ValueError where its profile may not begin there."""
        number = int(self.layout[row, device])
        found = self.layouts[number].profiles.get(profile) if number >= 0 else None
        if found is None or start not in found.starts:
            raise ValueError(f"no instance {profile} from slice {start} on of device {device}")
        return bits_of(found, start)

    def copy(self) -> "Partitions":
        """Return the same of its own."""
        found = copy.copy(self)
        found.taken = self.taken.copy(order="K")
        return found
