"""Says whether the machine's own containerd will do. Versions before 2 may close a container's pipes before they are
empty: what a container prints just before its end is then lost. Builds nothing."""

import re
import shutil
import subprocess
from pathlib import Path

_MINIMUM = (2, 0)
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.\d+")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# containerd first; the others are found beside it or elsewhere on the node's PATH.
PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr")


def on_machine(*, search_path: str = _PATH) -> Path | None:
    """Return the machine's containerd where it is version 2 or newer and complete."""
    found = [shutil.which(program, path=search_path) for program in PROGRAMS]
    if found[0] is None or None in found:
        return None
    program = Path(found[0])
    return program if version_of(program) >= _MINIMUM else None


def version_of(program: Path) -> tuple[int, int]:
    """Ask a containerd for its major and minor version; (0, 0) when it does not say."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)
    match = _VERSION.search(done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
