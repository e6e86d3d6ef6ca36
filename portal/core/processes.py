"""How a process leads: competes for a lease, works while it holds it, drops everything when it does not.

Used by the controller, the queue and the log collector. Never exits because the database is away; ends on SIGTERM.
Knows nothing of what the work is.
"""

import signal
import threading
import time
from collections.abc import Callable

import structlog
from django.db import DatabaseError, connection

from portal.core import leases
from portal.core.leases import Held, LeaseLost

COMPETE_EVERY_S = 1.0
BACK_OFF_MAX_S = 5.0

Loop = Callable[[Held, threading.Event], None]
log = structlog.get_logger(__name__)


class Termination:
    """A wish to end the process: set once, seen by everything that registered an event."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._lock = threading.Lock()
        self._events: set[threading.Event] = {self.requested}

    def request(self) -> None:
        """Ask everything to end."""
        with self._lock:
            for event in self._events:
                event.set()

    def attach(self, event: threading.Event) -> None:
        """Set the event when the end is asked for, or now if it was."""
        with self._lock:
            self._events.add(event)
            if self.requested.is_set():
                event.set()

    def detach(self, event: threading.Event) -> None:
        """Forget the event."""
        with self._lock:
            self._events.discard(event)


def terminate_on_signals() -> Termination:
    """Return a wish that SIGTERM and SIGINT fulfil. Call it in the main thread, before any other thread starts.

    A thread waits for the signals: setting an event in a handler could interrupt, and deadlock with, a wait for it.
    """
    termination = Termination()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        signal.sigwait(signals)
        termination.request()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return termination


def run_leader(name: str, loop: Loop, *, termination: Termination | None = None) -> None:
    """Compete for the lease `name` until terminated; while holding it run `loop(held, stop)` in this thread.

    `loop` must return soon after `stop` is set (lease lost, or the process ends) and keep nothing between calls.
    Whatever it raises ends this term only: the lease is given up and competed for again after a pause.
    """
    wish = termination or terminate_on_signals()
    holder = leases.holder_name()
    back_off_s = 0.0
    while not wish.requested.wait(back_off_s):
        try:
            held = leases.acquire(name, holder)
            back_off_s = COMPETE_EVERY_S
            if held is not None:
                _lead(held, loop, wish)
        except DatabaseError as error:
            back_off_s = min(BACK_OFF_MAX_S, back_off_s * 2 + 0.5)
            log.warning("database_away", lease=name, error=str(error).strip())
            connection.close()
    connection.close()


def _lead(held: Held, loop: Loop, wish: Termination) -> None:
    """Run one term and give the lease up."""
    stop = threading.Event()
    wish.attach(stop)
    renewer = threading.Thread(target=_renew, args=(held, stop), name=f"renew-{held.name}", daemon=True)
    renewer.start()
    log.info("lease_taken", lease=held.name, epoch=held.epoch)
    try:
        loop(held, stop)
    except LeaseLost:
        log.warning("lease_lost", lease=held.name, epoch=held.epoch)
    except Exception:
        log.exception("term_ended", lease=held.name, epoch=held.epoch)
    finally:
        stop.set()
        wish.detach(stop)
        renewer.join()
        _release(held)


def _renew(held: Held, stop: threading.Event) -> None:
    """Renew until told to stop; tell the loop to stop once the lease is lost, or must be for want of a database."""
    renewed_at_s = time.monotonic()
    try:
        while not stop.wait(leases.RENEW_S):
            try:
                leases.renew(held)
                renewed_at_s = time.monotonic()
            except LeaseLost:
                log.warning("lease_lost", lease=held.name, epoch=held.epoch)
                stop.set()
            except DatabaseError as error:
                log.warning("lease_not_renewed", lease=held.name, error=str(error).strip())
                connection.close()
                if time.monotonic() - renewed_at_s > leases.TTL_S:
                    stop.set()
    finally:
        connection.close()


def _release(held: Held) -> None:
    try:
        leases.release(held)
    except DatabaseError as error:
        log.warning("lease_not_released", lease=held.name, error=str(error).strip())
        connection.close()
