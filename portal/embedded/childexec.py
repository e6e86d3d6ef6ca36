"""Becomes the program of a supervised child, after tying its life to its parent's. Runs as a file, stdlib only.

Use: childexec.py PARENT_PID DEATH_SIGNAL NICE PLAIN|UNPRIVILEGED PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
FILE_RIGHTS = (1, 2, 3)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
CLONE_NEWUSER = 0x10000000
CANNOT_RUN = 126
NOBODY = 65534


def leave_root(libc: ctypes.CDLL) -> None:
    """Stop being uid 0 or one without an account, which PostgreSQL refuses to run as, without handing files over.

    In a user namespace this process is nobody while its files stay whose they are. Where those are forbidden (most
    containers, every chroot) root becomes nobody for real and keeps the right to reach root's files. Raises OSError.
    """
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER) != 0:
        if outer_uid != 0:
            raise OSError(f"user {outer_uid} has no account, and user namespaces are forbidden here")
        keep_file_rights(libc)
        return
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {outer_gid} 1")


def keep_file_rights(libc: ctypes.CDLL) -> None:
    """Become nobody, and pass only the rights over files on to the program. Raises OSError."""
    checked(libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    mask = sum(1 << right for right in FILE_RIGHTS)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable; then the same three for capabilities above 31, all dropped.
    checked(libc.capset(header, (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)))
    for right in FILE_RIGHTS:
        checked(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0))


def checked(answer: int) -> None:
    """Raise OSError where a system call failed."""
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"root cannot be left here ({os.strerror(code)})")


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
