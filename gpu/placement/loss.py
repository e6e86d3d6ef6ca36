"""How much of a node's idle devices the requests that are expected could not use. Pure arithmetic on arrays.

The measure is the expected fragmentation of Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads
with Fragmentation Gradient Descent" (USENIX ATC 2023, section 4): of a class that does not fit a node all that is idle
there is lost; of one that does, what is idle on devices too small for it. Added here: where the CPU or the memory that
is left bounds how many of the class fit, a part of what is beyond that bound is lost as well. Devices without CPU
beside them are the largest loss that the published measure does not see. And on each kind of devices a class weighs by
how likely its requests land there: those that only this kind will do for weigh more than those that any will do for.
"""

import numpy as np

from gpu.placement.arrays import Floats, Ints
from gpu.placement.mix import Mix

STRANDED = 0.35  # of what CPU and memory leave unused; 0.2 to 0.5 differ by less than 0.15 points
_ROWS = 128  # states at once: what stays in a processor's cache, less than half the time of all at once


class ExpectedLoss:
    """The loss under a mix; `devices` is how many there are of each kind: (K,)."""

    def __init__(self, mix: Mix, devices: Ints) -> None:
        tasks = [found.task for found in mix.classes]
        weight: Floats = np.array([found.weight for found in mix.classes], np.float64)
        self._all = float(weight.sum()) + mix.cpu_only
        self._cpu: Ints = np.array([task.cpu_millicores for task in tasks], np.int64)
        self._devices: Ints = np.array([task.devices for task in tasks], np.int64)
        shares: Ints = np.array([task.share_milli for task in tasks], np.int64)
        self._levels, self._level = np.unique(shares, return_inverse=True)
        self._milli_per_cpu = self._devices * shares / np.maximum(self._cpu, 1)
        memory = np.array([max(found.memory_mib, 1.0) for found in mix.classes], np.float64)
        self._milli_per_mib = self._devices * shares / memory
        admits = np.array([[task.kinds >> kind & 1 for task in tasks] for kind in range(len(devices))], bool)
        self._weight = _landing(admits * weight, np.maximum(devices @ admits, 1))

    def __call__(self, cpu: Ints, memory: Ints, idle: Ints, kind: Ints) -> Floats:
        """Return the loss of each state in thousandths of a device: cpu, memory, kind (S,), idle (S, G) → (S,)."""
        parts = [slice(at, at + _ROWS) for at in range(0, len(cpu), _ROWS)]
        return np.concatenate([self._of(cpu[at], memory[at], idle[at], kind[at]) for at in parts] or [np.zeros(0)])

    def _of(self, cpu: Ints, memory: Ints, idle: Ints, kind: Ints) -> Floats:
        large = idle[:, :, None] >= self._levels  # S x G x levels
        on_large = np.einsum("sg,sgl->sl", idle, large)[:, self._level]
        fits = large.sum(1)[:, self._level] >= self._devices
        fits &= cpu[:, None] >= self._cpu
        beside = np.minimum(cpu[:, None] * self._milli_per_cpu, memory[:, None] * self._milli_per_mib)
        usable = on_large - STRANDED * np.maximum(on_large - beside, 0.0)
        used = np.einsum("sc,sc->s", np.where(fits, usable, 0.0), self._weight[kind])
        result: Floats = self._all * idle.sum(1) - used
        return result


def _landing(weight: Floats, reach: Ints) -> Floats:
    """Return weights (K, C), 0 where a kind will not do, spread over the devices in reach (C,), with the same sums."""
    found = weight / reach
    sums = found.sum(1, keepdims=True)
    result: Floats = found * np.divide(weight.sum(1, keepdims=True), sums, out=np.zeros_like(sums), where=sums > 0)
    return result
