"""Each test of REST begins with nothing counted: all of them call from one address, within the same minutes."""

import time

import pytest
from django.core.cache import cache

from portal.core.api.throttles import WINDOW_S

_CALLERS = ("failed:127.0.0.1", "address:127.0.0.1")


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    minute = int(time.time()) // WINDOW_S
    cache.delete_many([f"api:{caller}:{minute + ahead}" for caller in _CALLERS for ahead in (0, 1)])
