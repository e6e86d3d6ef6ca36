"""Partitioned devices (MIG): which instances fit where, and which place leaves most for others.

A device has memory slices in a row; an instance of a profile takes so many of them from one of a few legal starts on.
Because the starts of a profile never overlap, the number of legal starts that are free is how many more of it fit.
Profiles and starts: NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles"; a driver tells its own by
`nvmlDeviceGetGpuInstancePossiblePlacements`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gpu.placement.arrays import Floats, Ints


class Profile(NamedTuple):
    """How many memory slices an instance takes, and from which of them on it may."""

    slices: int
    starts: tuple[int, ...]


@dataclass(frozen=True)
class MigLayout:
    """The profiles of a kind of device by name. Raises ValueError where they do not lie in it or starts overlap."""

    slices: int
    profiles: Mapping[str, Profile]

    def __post_init__(self) -> None:
        for name, profile in self.profiles.items():
            starts = sorted(profile.starts)
            ends = [start + profile.slices for start in starts]
            if profile.slices < 1 or not starts or starts[0] < 0 or ends[-1] > self.slices:
                raise ValueError(f"{name} does not lie in {self.slices} slices")
            if any(start < end for start, end in zip(starts[1:], ends[:-1], strict=True)):
                raise ValueError(f"starts of {name} overlap")

    def __hash__(self) -> int:
        return hash((self.slices, tuple(sorted(self.profiles.items()))))

    @cached_property
    def room(self) -> Mapping[str, Ints]:
        """How many of each profile fit beside what is taken: a bit set of taken slices → instances, (2^slices,)."""
        taken = np.arange(1 << self.slices)
        return {
            name: sum(((taken & bits_of(profile, start)) == 0 for start in profile.starts), start=np.zeros_like(taken))
            for name, profile in self.profiles.items()
        }

    @cached_property
    def worth(self) -> Floats:
        """The part of a device, 0 to 1, that instances could use beside what is taken: (2^slices,).

        The mean over profiles, as the loss of whole devices is one over classes.
        """
        usable = [self.room[name] * profile.slices for name, profile in self.profiles.items()]
        worth: Floats = np.mean(usable, axis=0) / self.slices
        return worth

    def start_of(self, name: str, taken: int) -> tuple[float, int]:
        """Return the start beside what is taken that leaves most for others, and how much worth goes with it.

        The first among equals. Raises ValueError where none is free.
        """
        profile, worth = self.profiles[name], self.worth
        free = [start for start in profile.starts if not taken & bits_of(profile, start)]
        return min((round(float(worth[taken] - worth[taken | bits_of(profile, start)]), 9), start) for start in free)


def bits_of(profile: Profile, start: int) -> int:
    """Return the slices that an instance takes, as a bit set."""
    return ((1 << profile.slices) - 1) << start


_SEVENTHS = (0, 1, 2, 3, 4, 5, 6)
_OF_EIGHT = (  # of A100 and H100: eight memory slices, seven compute slices
    Profile(1, _SEVENTHS),
    Profile(2, (0, 2, 4, 6)),
    Profile(2, (0, 2, 4)),
    Profile(4, (0, 4)),
    Profile(4, (0,)),
    Profile(8, (0,)),
)
_NAMES_40GB = ("1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb")
_NAMES_80GB = ("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
A100_40GB = MigLayout(8, dict(zip(_NAMES_40GB, _OF_EIGHT, strict=True)))
A100_80GB = H100_80GB = MigLayout(8, dict(zip(_NAMES_80GB, _OF_EIGHT, strict=True)))
A30 = MigLayout(4, {"1g.6gb": Profile(1, (0, 1, 2, 3)), "2g.12gb": Profile(2, (0, 2)), "4g.24gb": Profile(4, (0,))})
