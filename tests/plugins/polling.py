"""The one way in which tests wait: ask until it is so, and fail with the reason when time is up."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def until(what: str | Callable[[], str], check: Callable[[], T], *, timeout_s: float, every_s: float = 0.1) -> T:
    """Ask until the answer is true and return it; fail the test with `what` and the last answer when time is up.

    `what` may be a function, for a reason that shows how things stand at the end.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := check()):
        if time.monotonic() > deadline:
            reason = what if isinstance(what, str) else what()
            pytest.fail(f"not within {timeout_s:.0f} s: {reason}; last answer {answer!r}")
        time.sleep(every_s)
    return answer
