"""A bare Debian 12 in a directory, with process and mount namespaces of its own: a fresh machine to try `bin/up` on.

It shares the network (packages come from the registries that this machine uses) and so the ports.
"""

import contextlib
import datetime
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from portal import env

CHECKOUT = Path(__file__).parents[2]
HOME = "/root"
CHECKOUT_INSIDE = f"{HOME}/berth"
CACHE_INSIDE = f"{HOME}/.cache/berth"
_PROGRAMS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# How this machine reaches its registries; nothing else of its configuration goes along.
_COPIED = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/apt/apt.conf.d",
    "etc/apt/auth.conf.d",
    "etc/pip.conf",
    "etc/resolv.conf",
    "etc/hosts",
    "etc/ssl/certs/ca-certificates.crt",
    "usr/local/share/ca-certificates",
)
_PASSED = re.compile(
    r"^(PIP_(?!FIND_LINKS)\w+|GO(PROXY|SUMDB|NOSUMDB|PRIVATE|NOPROXY)|\w*_(proxy|PROXY)|SSL_CERT_FILE)$"
)
# Rebuilt inside: what belongs to this machine's Python, or is this module's own.
_CACHE_NOT_SHARED = {"venv", "debian"}
# A real change of root, not chroot: the kernel allows no user namespaces to a process in a chroot.
_MOUNTS = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mount --rbind /dev dev
mount -t proc proc proc
mount --rbind /sys sys
mount -t tmpfs tmpfs run
for entry in $SHARED; do
    mkdir -p "$ROOT$CACHE/$entry"
    mount --bind "$OUTER/$entry" "$ROOT$CACHE/$entry"
done
mkdir outside
pivot_root . outside
umount --lazy /outside
rmdir /outside
echo mounted
exec sleep infinity
"""


class Machine:
    """The running fresh machine."""

    def __init__(self, root: Path, holder_pid: int) -> None:
        self.root = root
        self._enter = ["nsenter", "--target", str(holder_pid), "--mount", "--pid"]

    def command(self, script: str) -> list[str]:
        """Return a command line that runs a shell script inside, in root's home and with a clean environment."""
        passed = [f"{name}={value}" for name, value in os.environ.items() if _PASSED.match(name)]
        environment = [f"HOME={HOME}", f"PATH={_PROGRAMS_PATH}", "LANG=C.UTF-8", *passed]
        return [*self._enter, "env", "-i", *environment, "sh", "-c", f"cd {HOME}; {script}"]

    def run(self, script: str, *, timeout_s: float = 600) -> str:
        """Run a shell script inside and return what it printed; raises when it fails."""
        done = subprocess.run(self.command(script), capture_output=True, text=True, check=False, timeout=timeout_s)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def read(self, path: str) -> str:
        """Return the text of a file inside."""
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def processes(self) -> list[str]:
        """Return the command lines of all living processes inside, without the holder and this question itself."""
        script = "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null && echo; done"
        lines = (line.strip() for line in self.run(script).splitlines())
        return [line for line in lines if line and line != "sleep infinity" and "for p in /proc" not in line]

    def mounts(self) -> set[str]:
        """Return the mount points inside."""
        return {line.split()[4] for line in self.run("cat /proc/self/mountinfo").splitlines()}


@contextlib.contextmanager
def fresh_machine(root: Path) -> Iterator[Machine]:
    """Make a bare Debian in `root` with a copy of this checkout, and hold its namespaces open."""
    _unpack(root)
    _copy_registry_access(root)
    _copy_checkout(root / CHECKOUT_INSIDE.lstrip("/"))
    outer = env.cache_dir()
    outer.mkdir(parents=True, exist_ok=True)
    shared = [entry.name for entry in outer.iterdir() if entry.is_dir() and entry.name not in _CACHE_NOT_SHARED]
    holder = subprocess.Popen(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _MOUNTS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ROOT": str(root), "CACHE": CACHE_INSIDE, "OUTER": str(outer), "SHARED": " ".join(shared)},
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "mounted\n"
        children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()
        yield Machine(root, int(children[0]))
    finally:
        # The end of the namespace's first process ends every process in it, and with the last one go the mounts.
        holder.kill()
        holder.wait()
        holder.stdout.close()
        shutil.rmtree(root, ignore_errors=True)


def _unpack(root: Path) -> None:
    archive = _archive()
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "--extract", "--file", archive, "--directory", root, "--numeric-owner"], check=True)


def _archive() -> Path:
    """Return a tar of a minimal Debian, made anew each week and whenever the mirror changes."""
    mirror = _mirror()
    year, week, _ = datetime.datetime.now(datetime.UTC).isocalendar()
    name = f"bookworm-{year}w{week:02}-{hashlib.sha256(mirror.encode()).hexdigest()[:8]}.tar"
    target = env.cache_dir() / "debian" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        made = target.with_suffix(".root")
        shutil.rmtree(made, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", "bookworm", str(made), mirror]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1200)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        with tarfile.open(target.with_suffix(".new"), "w") as archive:
            archive.add(made, arcname=".")
        target.with_suffix(".new").replace(target)
        shutil.rmtree(made)
    return target


def _mirror() -> str:
    """Return the Debian mirror that this machine's own apt uses."""
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    for file in files:
        text = file.read_text() if file.exists() else ""
        if match := re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return match[1]
    raise AssertionError("no Debian mirror in /etc/apt")


def _copy_registry_access(root: Path) -> None:
    for name in _COPIED:
        source, target = Path("/") / name, root / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copyfile(source, target)


def _copy_checkout(target: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (CHECKOUT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)
