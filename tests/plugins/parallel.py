"""Two workers, one machine: what starts whole products or clusters runs one after the other, beside all the rest."""

import pytest

_BIG = ("/contract/", "/cluster/", "/browser/", "/faults/", "/heavy/")
GROUP = "machine"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that need much of the machine into one group, which `--dist loadgroup` gives to one worker."""
    for item in items:
        if any(directory in str(item.path) for directory in _BIG):
            item.add_marker(pytest.mark.xdist_group(GROUP))
