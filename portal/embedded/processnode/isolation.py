"""Asks whether this machine lets an ordinary user have namespaces, by making some in a process that ends at once."""

import subprocess
import sys
from pathlib import Path

_SANDBOX = Path(__file__).with_name("sandbox.py")
_TRY = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("sandbox", sys.argv[1])
sandbox = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sandbox)
try:
    sandbox.enter_namespaces(65534, 65534)
    sandbox.mount("tmpfs", "/tmp", kind="tmpfs")
except OSError as exc:
    sys.exit(exc.strerror or str(exc))
"""
_TIMEOUT_S = 20


def why_not() -> str:
    """Return why containers cannot have a file system of their own here; empty when they can."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRY, str(_SANDBOX)],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, cwd="/",
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "making namespaces takes for ever"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["user namespaces are forbidden"])[-1]
