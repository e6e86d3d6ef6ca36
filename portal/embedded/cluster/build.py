"""Builds the embedded Kubernetes once and keeps it: `python -m portal.embedded.cluster.build` prints the binary's path.

What runs its containers, containerd, is built after it, unless the machine has one that will do. Progress goes to
stderr, so the path is all of stdout. Needs only the standard library.
"""

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal import env
from portal.embedded.cluster import containerd
from portal.embedded.cluster.key import CONTAINERD_VERSION, KUBERNETES_VERSION, content_key
from portal.embedded.cluster.toolchain import WAYS_OUT, find_go
from portal.embedded.errors import StartError
from portal.embedded.tether import tethered

SOURCE_DIR = Path(__file__).resolve().parents[3] / "devcluster"
_PACKAGE = "k8s.io/component-base/version"
_LINK = (
    f"-s -w -X {_PACKAGE}.gitVersion={KUBERNETES_VERSION} -X {_PACKAGE}.gitMajor=1 -X {_PACKAGE}.gitMinor=36"
    f" -X {_PACKAGE}.gitTreeState=clean"
)
# Two compilers at a time: the same cores also answer pages.
_COMMON = ("-p", "2", "-trimpath", "-buildvcs=false")
_FLAGS = (*_COMMON, "-ldflags", _LINK)
_CONTAINERD = "github.com/containerd/containerd/v2"
# Left out is what needs disks of its own kind or somewhere to send traces: the node uses neither.
_CONTAINERD_FLAGS = (
    *_COMMON, "-tags", "no_btrfs,no_zfs,no_devmapper,no_tracing",
    "-ldflags", f"-s -w -X {_CONTAINERD}/version.Version={CONTAINERD_VERSION}",
)  # fmt: skip
_SAY_EVERY_S = 2.0
_NEEDED_BYTES = 4 << 30
_NEEDED_BESIDES_BYTES = 1 << 30


@dataclass(frozen=True)
class Program:
    """What one build makes: its first binary's name, and the directory with its Go files below the source directory.

    `packages` are built from there, each to a binary of its last word.
    """

    name: str
    directory: str
    patience: str = ""
    packages: tuple[str, ...] = (".",)
    flags: tuple[str, ...] = _FLAGS
    way_out: str = ""

    @property
    def binaries(self) -> tuple[str, ...]:
        """Return the names of the files that the build makes, `name` first."""
        return (self.name, *(package.rpartition("/")[2] for package in self.packages[1:]))


DEVCLUSTER = Program("devcluster", ".", f" (Kubernetes {KUBERNETES_VERSION}): 6 to 12 minutes on two cores, once")
PAUSE = Program("pause", "pause")
CONTAINERD = Program(
    "containerd",
    "containerd",
    f" ({CONTAINERD_VERSION}): 1 to 3 minutes on two cores, once",
    packages=tuple(f"{_CONTAINERD}/cmd/{name}" for name in containerd.PROGRAMS),
    flags=_CONTAINERD_FLAGS,
    way_out=" Or install containerd 2 or newer with its shim and ctr.",
)


def cached_path(program: Program = DEVCLUSTER, *, cache_dir: Path, source_dir: Path = SOURCE_DIR) -> Path:
    """Return where the binary of exactly these sources lies or will lie."""
    key = content_key(source_dir / program.directory, flags=program.flags)
    return cache_dir / "devcluster" / key / program.name


def ensure(
    program: Program = DEVCLUSTER,
    *,
    cache_dir: Path,
    source_dir: Path = SOURCE_DIR,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Path:
    """Return the binary's path, building it first where it is not in the cache.

    Two builders at a time do not double the work: the second waits for the first. Raises StartError.
    """
    target = cached_path(program, cache_dir=cache_dir, source_dir=source_dir)
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_builder(target.with_suffix(".lock"), say):
        if not target.exists():
            _build(program, target, cache_dir=cache_dir, source_dir=source_dir, say=say)
    return target


def ensure_containerd(
    *, cache_dir: Path, say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)
) -> Path:
    """Return a containerd that loses no output: the machine's own or one built here. Raises StartError."""
    return containerd.on_machine() or ensure(CONTAINERD, cache_dir=cache_dir, say=say)


@contextmanager
def _only_builder(lock: Path, say: Callable[[str], None]) -> Iterator[None]:
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("somebody else is building it: waiting")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _build(program: Program, target: Path, *, cache_dir: Path, source_dir: Path, say: Callable[[str], None]) -> None:
    _check_room(target.parent, _NEEDED_BYTES if program is DEVCLUSTER else _NEEDED_BESIDES_BYTES)
    go = find_go(lock=source_dir / "go-toolchain.lock", cache_dir=cache_dir)
    began = time.monotonic()
    for abandoned in target.parent.glob("build-*"):  # by a build that was killed: the lock says that none is running
        shutil.rmtree(abandoned, ignore_errors=True)
    say(f"building {program.name} with {go}{program.patience}")
    with tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as scratch:
        unfinished = Path(scratch)
        _compile(go, program, unfinished, source_dir=source_dir / program.directory, say=say)
        for name in reversed(program.binaries):  # the one that is asked for comes last: where it is, all are
            (unfinished / name).replace(target.parent / name)
    say(f"built {program.name} in {time.monotonic() - began:.0f} s")


def _compile(go: Path, program: Program, output: Path, *, source_dir: Path, say: Callable[[str], None]) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    total = _count_packages(go, program, source_dir, environment, say)
    environment["GOTMPDIR"] = str(output)
    command = [str(go), "build", "-v", *program.flags, "-o", f"{output}/", *program.packages]
    last_words: list[str] = []
    said_at = 0.0
    with subprocess.Popen(
        tethered(command, death_signal=signal.SIGINT, niceness=19), cwd=source_dir, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        for compiled, line in enumerate(process.stderr or (), start=1):
            last_words = [*last_words[-8:], line.rstrip()]
            if time.monotonic() - said_at >= _SAY_EVERY_S:
                said_at = time.monotonic()
                say(f"compiling {program.name}: {min(99, 100 * compiled // total)} % ({compiled} of {total} packages)")
    if process.returncode != 0:
        details = "\n".join(last_words)
        raise StartError(
            f"The embedded Kubernetes could not be built ({program.name}):\n{details}\n{WAYS_OUT}{program.way_out}"
        )


def _count_packages(
    go: Path, program: Program, source_dir: Path, environment: dict[str, str], say: Callable[[str], None]
) -> int:
    say("reading the sources; what is not on this machine is downloaded from the Go module proxy")
    listed = subprocess.run(
        [go, "list", "-deps", *program.flags, *program.packages], cwd=source_dir, env=environment,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        details = "\n".join(listed.stderr.strip().splitlines()[-8:])
        raise StartError(
            f"The sources of the embedded Kubernetes could not be read ({program.name}):\n{details}\n"
            f"{WAYS_OUT}{program.way_out}"
        )
    return max(1, len(listed.stdout.splitlines()))


def _check_room(directory: Path, needed: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise StartError(
            f"Building the embedded Kubernetes needs {needed >> 30} GiB below {directory}, and "
            f"{free / (1 << 30):.1f} GiB are free. "
            "Make room, set BERTH_CACHE_DIR to another disk, or use bin/up --kubeconfig FILE."
        )


def main(words: list[str] | None = None) -> int:
    """Build if needed and print the path."""
    options = argparse.ArgumentParser(prog="python -m portal.embedded.cluster.build")
    options.add_argument("--without-containers", action="store_true", help="leave out what only containers need")
    has_containers = not options.parse_args(words).without_containers
    try:
        if has_containers:
            ensure(PAUSE, cache_dir=env.cache_dir())
        devcluster = ensure(cache_dir=env.cache_dir())
        if has_containers and os.geteuid() == 0:  # nobody else can run containers
            ensure_containerd(cache_dir=env.cache_dir())
        print(devcluster, flush=True)
    except StartError as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
