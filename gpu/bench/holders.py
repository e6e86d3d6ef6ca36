"""Which tenants hold shares of which devices, for policies that know nothing of tenants."""

from collections import Counter, defaultdict

import numpy as np

from gpu.placement.arrays import Bools, Ints
from gpu.placement.specs import Request

_NOBODY, _SEVERAL = -1, -2


class Holders:
    """The holders of shares of each device: `shape` is (nodes, devices of the largest)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._tenant: Ints = np.full(shape, _NOBODY, np.int64)  # the only one on a device
        self._alone: Bools = np.zeros(shape, bool)  # one of its holders does not share with others
        self._of: defaultdict[tuple[int, int], Counter[tuple[int, bool]]] = defaultdict(Counter)
        self._number: dict[str, int] = {}

    def admits(self, request: Request) -> Bools:
        """Return on which devices a share may be: of nobody else than its tenant, or where all allow others."""
        number = self._number_of(request)
        found: Bools = (self._tenant == number) | (self._tenant == _NOBODY)
        return found | ~self._alone if request.shares_with_others else found

    def change(self, request: Request, device: tuple[int, int], by: int) -> None:
        """Note that a share of a device (row, index) came, 1, or went, -1."""
        holders = self._of[device]
        holders[self._number_of(request), request.shares_with_others] += by
        present = [holder for holder, count in holders.items() if count]
        tenants = {tenant for tenant, _shares in present}
        self._tenant[device] = _NOBODY if not tenants else _SEVERAL if len(tenants) > 1 else tenants.pop()
        self._alone[device] = not all(shares for _tenant, shares in present)

    def _number_of(self, request: Request) -> int:
        return self._number.setdefault(request.tenant, len(self._number))
