"""Two workers, one machine: what starts whole products or clusters runs one after the other, beside all the rest.

What is heavy is among the former, though it shares nothing with them but the processor: beside it a cluster's recovery
took 28 s instead of 3 to 8, and the whole was not sooner done.

`--dist loadscope` is taken so. Groups of `--dist loadgroup` would do, but xdist 3.8 marks them in a way that pytest 9.2
does not see.
"""

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_BIG = ("tests/contract/", "tests/cluster/", "tests/browser/", "tests/faults/", "tests/heavy/", "tests/bench/")


class OneMachine(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests that need much of the machine to one worker, and all others to the other.

    Each keeps its order: what empties tables comes last, as pytest-django puts it, because rows of migrations go too.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "machine" if nodeid.startswith(_BIG) else "rest"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneMachine | None:
    """Schedule so where scopes are asked for."""
    return OneMachine(config, log) if config.getoption("dist") == "loadscope" else None
