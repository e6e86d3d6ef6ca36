"""A term of leadership in a thread, for tests that watch what a leader's loop does."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from django.db import connection

from portal.core import leases
from portal.core.leases import Held, LeaseLost


class Term:
    """One term: `lost` once the loop ended because the lease was lost."""

    def __init__(self, held: Held, loop: Callable[[Held, threading.Event], None]) -> None:
        self.lost = False
        self.stop = threading.Event()
        self._held, self._loop = held, loop
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._loop(self._held, self.stop)
        except LeaseLost:
            self.lost = True
        finally:
            connection.close()


@contextlib.contextmanager
def leading(
    lease: str, loop: Callable[[Held, threading.Event], None], *, wake: Callable[[], None] = lambda: None
) -> Iterator[Term]:
    """Lead until the block ends; `wake` is called after the wish to stop. Fails when the loop does not end."""
    held = leases.acquire(lease, "test", ttl_s=300)
    assert held is not None
    term = Term(held, loop)
    term.thread.start()
    try:
        yield term
    finally:
        term.stop.set()
        wake()
        term.thread.join(30)
        assert not term.thread.is_alive()
