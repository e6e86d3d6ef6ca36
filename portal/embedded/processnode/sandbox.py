"""Becomes the first process of a container and stays beside it until it ends. Runs as a file, standard library only.

Use: sandbox.py PARENT_PID ORDER_FILE REPORT_FD. The order is JSON (see `containers.py`); the report is one JSON line:
what could not be done, or nothing when the program runs. Exits with the program's code, or 128 and its signal's number.

SIGTERM is passed on to the program; SIGUSR1, which also comes when the parent dies, ends all of the container.
"""

import ctypes
import errno
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000,
)  # fmt: skip
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = (
    1, 2, 4, 8, 32, 4096, 16384, 1 << 18,
)  # fmt: skip
MNT_DETACH = 2
# Flags that a mount of somebody else may not lose here, as statvfs names them and as mount takes them.
LOCKED = ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV), (os.ST_NOEXEC, MS_NOEXEC))
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
CANNOT_START = 128
Order = dict[str, Any]

libc = ctypes.CDLL(None, use_errno=True)


def checked(answer: int, what: str) -> None:
    """Raise OSError where a system call failed."""
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount, or change a mount. Raises OSError."""
    words = (source.encode(), target.encode(), kind.encode() or None, flags, options.encode() or None)
    checked(libc.mount(*words), f"mount {source or kind} at {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show a file or directory at another place. Raises OSError."""
    mount(source, target, flags=MS_BIND | MS_REC)
    if read_only:
        found = os.statvfs(target).f_flag
        kept = sum(flag for seen, flag in LOCKED if found & seen)
        mount("", target, flags=MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def enter_namespaces(uid: int, gid: int) -> None:
    """Leave the machine's users, mounts, processes and host name behind. Raises OSError."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC
    checked(libc.unshare(flags), "new namespaces")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {outer_gid} 1")
    mount("", "/", flags=MS_REC | MS_PRIVATE)


def build_root(order: Order) -> None:
    """Put the image, the devices and the volumes together, and make that the root. Raises OSError."""
    root = order["scratch"]
    bind(order["root"], root, read_only=True)
    make_devices(f"{root}/dev")
    for name in ("resolv.conf", "hosts"):
        if Path("/etc", name).exists():
            bind(str(Path("/etc", name).resolve()), f"{root}/etc/{name}", read_only=True)
    for volume in order["mounts"]:
        bind(volume["source"], root + volume["path"], read_only=volume["read_only"])
    bind("/proc", f"{root}/proc")
    os.chdir(root)
    checked(libc.pivot_root(b".", b"."), "pivot_root")
    checked(libc.umount2(b".", MNT_DETACH), "umount")
    os.chdir("/")
    libc.sethostname(order["hostname"].encode(), len(order["hostname"].encode()))


def make_devices(dev: str) -> None:
    """Make a small /dev from the machine's harmless devices. Raises OSError."""
    mount("tmpfs", dev, kind="tmpfs", flags=MS_NOSUID | MS_NOEXEC, options="mode=755,size=64k")
    for name in DEVICES:
        Path(dev, name).touch()
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in DEVICE_LINKS.items():
        Path(dev, name).symlink_to(target)
    Path(dev, "shm").mkdir(mode=0o1777)
    mount("tmpfs", f"{dev}/shm", kind="tmpfs", flags=MS_NOSUID | MS_NODEV, options="mode=1777,size=64m")
    Path(dev, "termination-log").touch()


def own_proc() -> None:
    """Show this container's processes only; where the machine hides parts of /proc it cannot be mounted afresh."""
    if libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None) != 0:
        return


def become(order: Order, report: int) -> None:
    """Replace this process by the program, or report why not and end."""
    try:
        if order["isolated"]:
            own_proc()
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        os.chdir(order["working_dir"])
        os.umask(0o022)
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        execute(order["argv"], order["env"])
    except OSError as exc:
        tell(report, exc)
    os._exit(CANNOT_START)


def execute(argv: list[str], env: dict[str, str]) -> None:
    """Run the program, looked for in the container's PATH. Returns only by raising OSError."""
    found = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=env.get("PATH", "/usr/bin:/bin"))
    if found is None:
        raise OSError(errno.ENOENT, f'exec: "{argv[0]}": executable file not found in $PATH')
    try:
        os.execve(found, argv, env)  # noqa: S606 - becoming another program is this file's whole job
    except OSError as exc:
        raise OSError(exc.errno, f'exec: "{argv[0]}": {os.strerror(exc.errno or 0).lower()}') from exc


def tell(report: int, exc: OSError) -> None:
    """Say on the report why the container cannot start."""
    os.write(report, json.dumps({"error": exc.strerror or str(exc)}).encode() + b"\n")


def descendants() -> list[int]:
    """Return every living process below this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in ("Z", "X"):
                parents[int(entry.name)] = int(fields[1])
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def end_all() -> None:
    """Kill what is below, until nothing is; a killed first process of a namespace takes the rest along."""
    while living := descendants():
        for pid in living:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap_gone()


def reap_gone() -> None:
    """Collect every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def pass_on(child: int, number: signal.Signals) -> None:
    """Signal the program; one that has ended needs none."""
    try:
        os.kill(child, number)
    except ProcessLookupError:
        return


def wait_for(child: int) -> int:
    """Return the exit code of the program, collecting orphans meanwhile."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def run(parent_pid: int, order: Order, report: int) -> int:
    """Start the program and stay until it ends; return its exit code."""
    if order["isolated"]:
        enter_namespaces(order["uid"], order["gid"])
        build_root(order)
    else:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
    # Entering a user namespace forgets the death signal, so it is set after.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    if parent_pid != os.getppid():
        return 128 + signal.SIGKILL
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        become(order, report)
    os.close(report)
    signal.signal(signal.SIGTERM, lambda *_: pass_on(child, signal.SIGTERM))
    signal.signal(signal.SIGUSR1, lambda *_: pass_on(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGUSR1})
    code = wait_for(child)
    if not order["isolated"]:
        end_all()
    return code


def main(words: list[str]) -> int:
    """Read the order, take its file away, and run it."""
    parent_pid, order_file, report = int(words[0]), Path(words[1]), int(words[2])
    order = json.loads(order_file.read_text())
    order_file.unlink()
    os.set_inheritable(report, False)
    try:
        return run(parent_pid, order, report)
    except OSError as exc:
        tell(report, exc)
        return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
