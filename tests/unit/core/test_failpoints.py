"""Fail points do what the variable says, once where a file says so."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.core import failpoints


def test_an_action_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        failpoints.parse("a.b=explode")


def test_several_points_are_read() -> None:
    assert failpoints.parse("a=kill; b=delay:0.5@/x") == {"a": "kill", "b": "delay:0.5@/x"}


def test_a_point_that_nobody_named_does_nothing() -> None:
    failpoints.hit("nobody.named_this")


def test_a_delay_with_a_file_happens_once(tmp_path: Path) -> None:
    action = f"delay:0.2@{tmp_path / 'once'}"
    began = time.monotonic()
    failpoints.act(action)
    first_s = time.monotonic() - began
    failpoints.act(action)
    assert first_s >= 0.2
    assert time.monotonic() - began < 2 * first_s


def test_kill_ends_the_process_at_the_named_point() -> None:
    code = "from portal.core import failpoints; failpoints.hit('x.y'); print('alive')"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"BERTH_FAILPOINTS": "x.y=kill"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        timeout=60,
    )
    assert run.returncode == -signal.SIGKILL
    assert run.stdout == b""
