"""Who holds shares of a device, and who else may: tenants meet on one only if all who hold some of it allow that."""

import copy
from collections import Counter
from typing import Any

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.specs import Request

_NOBODY, _SEVERAL = -1, -2


class Sharers:
    """Holders of shares by device. `only`: (N, G) the number of the one tenant that holds shares of it, or that nobody
    does, or several; `closed`: (N, G) whether one of them does not share with others."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.only: Ints = np.full(shape, _NOBODY, np.int64, order="F")
        self.closed: Bools = np.zeros(shape, bool, order="F")
        self._guarded = 0
        self._held: dict[tuple[int, int], Counter[tuple[str, bool]]] = {}
        self._numbers: dict[str, int] = {}

    def bounds(self, request: Request) -> bool:
        """Tell whether there may be devices that a request may not use for who holds shares of them."""
        return request.is_share and (self._guarded > 0 or not request.shares_with_others)

    def admits(self, request: Request, at: Any = slice(None)) -> Bools:
        """Return which devices a share may go to: (N, G), or of rows `at`."""
        only = self.only[at]
        own: Bools = (only == _NOBODY) | (only == self._numbers.get(request.tenant, _SEVERAL - 1))
        if request.shares_with_others:
            own |= ~self.closed[at]
        return own

    def holds(self, row: int, device: int, request: Request) -> bool:
        """Tell whether a device may be held by such a request: by a share like it, or by no shares if it is whole."""
        held = self._held.get((row, device), Counter())
        return held[_sharer(request)] > 0 if request.is_share else not held

    def join(self, row: int, device: int, request: Request) -> None:
        """Count a holder of a share."""
        self._held.setdefault((row, device), Counter())[_sharer(request)] += 1
        self._told(row, device)

    def leave(self, row: int, device: int, request: Request) -> None:
        """Count a holder of a share no longer."""
        held = self._held[row, device]
        held[_sharer(request)] -= 1
        self._held[row, device] = +held
        self._told(row, device)

    def copy(self) -> "Sharers":
        """Return the same of its own."""
        found = copy.copy(self)
        vars(found).update(
            only=self.only.copy(order="K"),
            closed=self.closed.copy(order="K"),
            _held={place: held.copy() for place, held in self._held.items()},
            _numbers=dict(self._numbers),
        )
        return found

    def _told(self, row: int, device: int) -> None:
        held = self._held[row, device]
        if not held:
            del self._held[row, device]
        tenants = sorted({tenant for tenant, _shares in held})
        numbers = [self._numbers.setdefault(tenant, len(self._numbers)) for tenant in tenants]
        closed = any(not shares for _tenant, shares in held)
        self._guarded += int(closed) - int(self.closed[row, device])
        self.only[row, device] = numbers[0] if len(numbers) == 1 else _SEVERAL if numbers else _NOBODY
        self.closed[row, device] = closed


def _sharer(request: Request) -> tuple[str, bool]:
    return request.tenant, request.shares_with_others
