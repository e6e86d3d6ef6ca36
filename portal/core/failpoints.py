"""Named places where a test may make a process die or dawdle; without BERTH_FAILPOINTS each is one look at a dict.

The variable holds `name=action` pairs parted by `;`. Actions: `kill` (SIGKILL to this process), `delay:<seconds>`.
Either may end in `@<file>`: it then happens once, by whoever makes that file first.
"""

import os
import signal
import time
from pathlib import Path

from portal import env


def parse(text: str) -> dict[str, str]:
    """Return the actions by name. Raises ValueError for an action that does not exist."""
    actions = dict(pair.strip().split("=", 1) for pair in text.split(";") if pair.strip())
    for action in actions.values():
        verb, _, amount = action.partition("@")[0].partition(":")
        if verb == "delay":
            float(amount)
        elif verb != "kill":
            raise ValueError(f"{action!r} is no fail point action")
    return actions


_ACTIONS = parse(env.text("BERTH_FAILPOINTS"))


def hit(name: str) -> None:
    """Do what BERTH_FAILPOINTS says of this point, or nothing."""
    if action := _ACTIONS.get(name):
        act(action)


def act(action: str) -> None:
    """Carry out one action, unless its file says that it was done before."""
    what, _, once_file = action.partition("@")
    if once_file and not _first(Path(once_file)):
        return
    verb, _, amount = what.partition(":")
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(float(amount or 0))


def _first(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
