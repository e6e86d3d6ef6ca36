"""What processes cost: processor time and memory, from /proc."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12  # counted after the command's closing bracket


@dataclass(frozen=True)
class Cost:
    """Processor seconds so far, and resident memory now."""

    cpu_s: float
    rss_mib: float


def cost_of(pid: int) -> Cost:
    """Return what a process and everything below it costs; nothing for one that is gone."""
    cpu_s = rss_mib = 0.0
    for each in _with_children(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            status = Path(f"/proc/{each}/status").read_text()
        except OSError:
            continue
        cpu_s += (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S
        rss_mib += next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)
    return Cost(cpu_s, rss_mib)


def _with_children(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        for tasks in Path(f"/proc/{each}/task").glob("*/children"):
            found += [int(word) for word in tasks.read_text().split()]
    return found


def told(pids: Mapping[str, int], before: Mapping[str, Cost], *, window_s: float) -> str:
    """Return a line on what each process took of one processor core since, and its memory now; the busiest first."""
    now = {name: cost_of(pid) for name, pid in pids.items()}
    shares = {name: (now[name].cpu_s - before[name].cpu_s) / window_s for name in now if name in before}
    ordered = sorted(shares, key=lambda name: -shares[name])
    return ", ".join(f"{name} {shares[name]:.2f} cores {now[name].rss_mib:.0f} MiB" for name in ordered)
