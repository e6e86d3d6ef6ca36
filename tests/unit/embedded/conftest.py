"""Starts supervisors that a test leaves behind nothing of."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.embedded.supervised import Supervised

Supervise = Callable[[str], Supervised]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Return a function that runs a plan (Python source of a list of ChildSpec) on this test's directory."""
    started: list[Supervised] = []

    def start(plan: str) -> Supervised:
        started.append(Supervised(tmp_path, plan))
        return started[-1]

    yield start
    for supervised in started:
        supervised.close()
