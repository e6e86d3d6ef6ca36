"""Makes the images once and caches them by what they are made of: `python -m portal.embedded.images.build`."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from portal import env
from portal.embedded.cluster.build import PAUSE, ensure
from portal.embedded.errors import StartError
from portal.embedded.images.oci import Image, pack
from portal.embedded.images.trees import (
    MachinePython,
    lay_out_pause,
    lay_out_python,
    lay_out_shell,
    machine_python,
    machine_shell,
)
from portal.embedded.tether import tethered

_LOCK = Path(__file__).with_name("requirements.lock")
_SOURCES = tuple(Path(__file__).with_name(name) for name in ("oci.py", "trees.py", "build.py"))
_PIP_TIMEOUT_S = 600
_ENVIRONMENT = ("PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp")
_SHELL_CONFIG = {"Env": list(_ENVIRONMENT), "WorkingDir": "/", "Cmd": ["sh"], "User": "65534:65534"}
_PYTHON_CONFIG = {
    **_SHELL_CONFIG,
    "Env": [*_ENVIRONMENT, "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"],
    "Cmd": ["python3"],
}
_PAUSE_CONFIG = {"Entrypoint": ["/pause"], "WorkingDir": "/", "User": "65535:65535"}
Say = Callable[[str], None]


def pause(*, cache_dir: Path, say: Say) -> Image:
    """Return the image of a pod's sandbox. Raises StartError."""
    program = ensure(PAUSE, cache_dir=cache_dir, say=say)
    return _kept("pause", [program], cache_dir, _PAUSE_CONFIG, lambda root: lay_out_pause(root, program))


def busybox(*, cache_dir: Path, say: Say) -> Image:
    """Return the image with a shell. Raises StartError."""
    shell = machine_shell()
    if "busybox" not in shell:
        say("no busybox on this machine: the image of that name has the machine's own shell and tools")
    return _kept(
        "busybox", shell.values(), cache_dir, _SHELL_CONFIG, lambda root: lay_out_shell(root, shell), words=tuple(shell)
    )


def python(*, cache_dir: Path, say: Say) -> Image:
    """Return the image with Python and the locked packages. Raises StartError.

    Without a package index the image has no packages, which is said; the next start tries again.
    """
    shell, machine = machine_shell(), machine_python()
    packages = _packages(machine, cache_dir=cache_dir, say=say)
    parts = [*shell.values(), machine.program, *machine.stdlib.rglob("*.so"), machine.stdlib / "os.py"]
    if packages is not None:
        parts.append(_LOCK)

    def lay_out(root: Path) -> None:
        lay_out_shell(root, shell)
        lay_out_python(root, machine, packages)

    return _kept("python", parts, cache_dir, _PYTHON_CONFIG, lay_out, words=(machine.full_version, *shell))


def _kept(
    name: str,
    parts: Iterable[Path],
    cache_dir: Path,
    config: dict[str, Any],
    lay_out: Callable[[Path], None],
    words: tuple[str, ...] = (),
) -> Image:
    directory = cache_dir / "images" / f"{name}-{_fingerprint((*_SOURCES, *parts), words)}"
    if not (directory / "manifest.json").exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=directory.parent) as scratch:
            root, output = Path(scratch, "root"), Path(scratch, "image")
            root.mkdir()
            lay_out(root)
            pack(root, output, config=config)
            try:
                output.rename(directory)
            except OSError:  # somebody else was quicker with the same image
                if not (directory / "manifest.json").exists():
                    raise
    return Image(name, directory)


def _fingerprint(parts: Iterable[Path], words: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(words).encode())
    for part in parts:
        digest.update(f"\0{part.name}\0".encode())
        with part.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:24]


def _packages(machine: MachinePython, *, cache_dir: Path, say: Say) -> Path | None:
    key = hashlib.sha256(_LOCK.read_bytes() + machine.full_version.encode()).hexdigest()[:16]
    target = cache_dir / "images" / f"packages-{key}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="packages-", dir=target.parent) as scratch:
        # `--python` runs this pip by the machine's Python, which need not have one of its own.
        command = [
            sys.executable, "-m", "pip", "--python", str(machine.program), "install", "--quiet", "--no-input",
            "--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes",
            "--target", f"{scratch}/site", "-r", str(_LOCK),
        ]  # fmt: skip
        environment = {**os.environ, "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
        done = subprocess.run(
            tethered(command), capture_output=True, text=True, check=False, timeout=_PIP_TIMEOUT_S, env=environment
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or "no message").splitlines()[-1]
            say(f"the python image comes without numpy, which could not be installed: {reason}")
            return None
        if not target.exists():
            shutil.move(f"{scratch}/site", target)
    return target


def main() -> int:
    """Make all images and print their references."""
    cache_dir = env.cache_dir()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        for make in (pause, busybox, python):
            print(make(cache_dir=cache_dir, say=say).reference, flush=True)
    except (StartError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
