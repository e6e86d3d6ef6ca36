"""Becomes the program of a supervised child, after tying its life to its parent's. Runs as a file, stdlib only.

Use: childexec.py PARENT_PID DEATH_SIGNAL NICE PLAIN|UNPRIVILEGED PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
CANNOT_RUN = 126
NOBODY = 65534


def leave_root(libc: ctypes.CDLL) -> None:
    """Enter a user namespace in which this process is nobody, while its files stay root's.

    PostgreSQL refuses to run as uid 0; so there is no account to add and nothing to chown. Raises OSError.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"user namespaces are forbidden here ({os.strerror(code)})")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {outer_gid} 1")


def become(arguments: list[str]) -> None:
    """Tie this process to its parent and replace it by the program. Returns only by raising OSError."""
    parent_pid, death_signal, niceness = (int(word) for word in arguments[:3])
    libc = ctypes.CDLL(None, use_errno=True)
    if arguments[3] == "UNPRIVILEGED":
        leave_root(libc)
    os.nice(niceness)
    # Entering a user namespace forgets the death signal, so it is set after.
    libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(CANNOT_RUN)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    os.execvp(arguments[4], arguments[4:])  # noqa: S606 - becoming another program is this file's whole job


if __name__ == "__main__":
    try:
        become(sys.argv[1:])
    except OSError as exc:
        sys.stderr.write(f"cannot start {sys.argv[5]}: {exc}\n")
        sys.exit(CANNOT_RUN)
