"""What a role is: a process that the holder runs and the keeper restarts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from portal.embedded.node.holder import SYSTEM_PATH


def environment(*, first_on_path: Path | None = None) -> dict[str, str]:
    """Return a role's environment, with a directory whose programs come before the machine's."""
    path = f"{first_on_path}:{SYSTEM_PATH}" if first_on_path else SYSTEM_PATH
    # Go gives memory back sooner; the control plane is idle most of the time.
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root", "GOGC": "60"}


def always_ready() -> bool:
    """Take a role for ready as soon as it runs."""
    return True


@dataclass(frozen=True)
class RoleSpec:
    """A role: what to run, after which others are ready, and how to see that it is ready itself.

    It is started afresh when one of `fresh_after` came back: Kubernetes' controllers and its kubelet wait ever longer,
    up to a minute, before they ask a server again that was away.
    """

    name: str
    argv: tuple[str, ...]
    log_path: Path
    after: tuple[str, ...] = ()
    ready: Callable[[], bool] = always_ready
    fresh_after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=environment)
