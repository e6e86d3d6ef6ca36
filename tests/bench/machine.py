"""What a run of the measurements was made on: figures mean nothing without it."""

import datetime as dt
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Machine:
    """One machine at one moment; `load` counts the programs that wanted to run."""

    cores: int
    memory_gib: int
    processor: str
    kernel: str
    load: float
    commit: str
    day: str

    def sentence(self, later: "Machine") -> str:
        """Return it in words, for the page, with the load of a later moment."""
        return (
            f"{self.cores} cores ({self.processor}), {self.memory_gib} GiB of memory, Linux {self.kernel}, "
            f"Python {platform.python_version()}; commit {self.commit}, {self.day}. Load before the run "
            f"{self.load:.1f} and after it {later.load:.1f}; a machine that does nothing else begins near 0."
        )


def this_machine() -> Machine:
    """Look at the machine, and at the checkout that is measured."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory_bytes / 2**30),
        processor=_processor(),
        kernel=platform.release().split("-")[0],
        load=os.getloadavg()[0],
        commit=_commit(),
        day=dt.datetime.now(dt.UTC).date().isoformat(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """Return the short id, marked where files differ from it."""
    words = ("git", "-C", str(ROOT))
    head = subprocess.run([*words, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run([*words, "status", "--porcelain"], capture_output=True, text=True, check=False)
    return f"{head.stdout.strip() or 'unknown'}{' with changes' if changed.stdout.strip() else ''}"
