"""The queue's process: one leader admits, standbys wait for its lease."""

import threading
import time
from typing import Any

from django.core.management.base import BaseCommand

from portal.core import idempotency
from portal.core.hints import wait_for_wake
from portal.core.leases import Held
from portal.core.processes import run_leader
from workloads.admission import MOST_ADMITTED, QUEUE, tick

TICK_S = 2.0
FORGET_EVERY_S = 3600.0


def lead(held: Held, stop: threading.Event) -> None:
    """Tick whenever woken, at least every 2 s, until told to stop; forget expired idempotency keys each hour."""
    forgot_at_s = float("-inf")
    while not stop.is_set():
        if tick(held) < MOST_ADMITTED:
            wait_for_wake(QUEUE, TICK_S)
        if time.monotonic() - forgot_at_s > FORGET_EVERY_S:
            idempotency.forget_expired()
            forgot_at_s = time.monotonic()


class Command(BaseCommand):
    help = "Admit queued workloads while they fit; stays until it is terminated."

    def handle(self, *_args: Any, **_options: Any) -> None:
        run_leader(QUEUE, lead)
