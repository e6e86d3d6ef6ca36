"""Builds command lines of programs that must not outlive the process that starts them."""

import os
import pwd
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_CHILDEXEC = Path(__file__).with_name("childexec.py")


def tethered(
    argv: Sequence[str],
    *,
    death_signal: signal.Signals = signal.SIGKILL,
    niceness: int = 0,
    leave_root: bool = False,
) -> list[str]:
    """Return a command line that runs `argv` and gets `death_signal` when the calling thread's process dies.

    `leave_root` starts it as nobody in a user namespace when the caller is root, or has a number but no account, which
    PostgreSQL refuses as well. The caller must be the parent.
    """
    drop = leave_root and (os.geteuid() == 0 or not _has_account(os.geteuid()))
    return [
        sys.executable, "-I", "-S", str(_CHILDEXEC),
        str(os.getpid()), str(int(death_signal)), str(niceness), "UNPRIVILEGED" if drop else "PLAIN",
        *argv,
    ]  # fmt: skip


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
