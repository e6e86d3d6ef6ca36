"""A leader leads only while it holds its lease, survives what its loop throws, and gives the lease up at the end."""

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models.functions import Now

from portal.core import leases
from portal.core.leases import Held
from portal.core.models import Lease
from portal.core.processes import Termination, run_leader
from tests.plugins.polling import until

pytestmark = pytest.mark.django_db(transaction=True)


class Leading:
    """A leader in a thread, and what its loop saw."""

    def __init__(self, work: Callable[[Held], None] = lambda held: None) -> None:
        self.termination = Termination()
        self.terms: list[Held] = []
        self.ended = 0
        self.work = work
        self.thread = threading.Thread(
            target=run_leader, args=("t", self.loop), kwargs={"termination": self.termination}
        )
        self.thread.start()

    def loop(self, held: Held, stop: threading.Event) -> None:
        self.terms.append(held)
        try:
            self.work(held)
            stop.wait()
        finally:
            self.ended += 1
            connection.close()

    def end(self) -> None:
        self.termination.request()
        self.thread.join(20)
        assert not self.thread.is_alive()


def test_a_leader_gives_its_lease_up_when_it_ends_and_the_standby_leads_at_once() -> None:
    first = Leading()
    until("the first leads", lambda: len(first.terms) == 1, timeout_s=20)
    second = Leading()
    try:
        first.end()
        began = time.monotonic()
        until("the standby leads", lambda: len(second.terms) == 1, timeout_s=20)
        assert time.monotonic() - began < 5
        assert second.terms[0].epoch > first.terms[0].epoch
    finally:
        second.end()


def test_a_loop_that_throws_is_started_again_in_a_new_term() -> None:
    throws = [RuntimeError("no")]

    def work(held: Held) -> None:
        if throws:
            raise throws.pop()

    leader = Leading(work)
    try:
        until("it leads again", lambda: len(leader.terms) == 2, timeout_s=20)
        assert leader.terms[1].epoch > leader.terms[0].epoch
    finally:
        leader.end()


def test_a_leader_that_lost_its_lease_stops_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.05)
    leader = Leading()
    try:
        until("it leads", lambda: len(leader.terms) == 1, timeout_s=20)
        Lease.objects.filter(name="t").update(holder="somebody else")
        until("its loop ends", lambda: leader.ended == 1, timeout_s=20)
        assert leader.thread.is_alive()
        Lease.objects.filter(name="t").update(expires_at=Now())
        until("it leads again", lambda: len(leader.terms) == 2, timeout_s=20)
    finally:
        leader.end()
