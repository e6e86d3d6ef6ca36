"""Leases: one holder at a time, and nothing that a stale holder does gets through."""

import threading

import pytest
from django.db import DatabaseError, connection, transaction

from portal.core import leases
from portal.core.leases import LeaseLost, acquire, fence, release, renew
from portal.core.models import Lease

pytestmark = pytest.mark.django_db(transaction=True)


def lapse() -> None:
    Lease.objects.update(expires_at="2026-01-01T00:00:00Z")


def test_a_held_lease_is_nobody_elses_and_its_holder_renews_it() -> None:
    held = acquire("queue", "a")
    assert held is not None
    assert acquire("queue", "b") is None
    assert acquire("queue", "a") == held
    renew(held)


def test_a_lapsed_lease_goes_to_the_next_in_a_new_epoch_and_the_old_holder_writes_nothing() -> None:
    old = acquire("queue", "a")
    lapse()
    new = acquire("queue", "b")
    assert old is not None
    assert new is not None
    assert new.epoch == old.epoch + 1
    with pytest.raises(LeaseLost):
        renew(old)
    with pytest.raises(LeaseLost), transaction.atomic():
        fence(old)
    with transaction.atomic():
        fence(new)


def test_a_holder_that_lets_it_lapse_is_a_stranger_to_itself() -> None:
    old = acquire("queue", "a")
    lapse()
    again = acquire("queue", "a")
    assert old is not None
    assert again is not None
    assert again.epoch == old.epoch + 1


def test_of_many_who_compete_at_once_one_wins() -> None:
    start = threading.Barrier(8)
    won: list[leases.Held] = []

    def compete(holder: str) -> None:
        try:
            start.wait(30)
            if held := acquire("queue", holder):
                won.append(held)
        finally:
            connection.close()

    for _ in range(2):  # first for a lease that nobody ever had, then for a lapsed one
        threads = [threading.Thread(target=compete, args=(f"holder-{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        lapse()
    assert [held.epoch for held in won] == [1, 2]


def test_leases_of_other_names_are_other_leases() -> None:
    assert acquire("queue", "a") is not None
    assert acquire("controller", "b") is not None


def test_who_lost_a_lease_does_not_give_up_the_next_ones() -> None:
    old = acquire("queue", "a")
    lapse()
    new = acquire("queue", "b")
    assert old is not None
    assert new is not None
    release(old)
    renew(new)
    assert acquire("queue", "c") is None


def test_a_released_lease_is_free_at_once() -> None:
    held = acquire("queue", "a")
    assert held is not None
    release(held)
    assert acquire("queue", "b") is not None


def test_a_fence_outside_a_transaction_is_a_mistake() -> None:
    held = acquire("queue", "a")
    assert held is not None
    with pytest.raises(RuntimeError):
        fence(held)


def test_a_holder_stopped_inside_its_transaction_keeps_nobody_from_taking_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "MOST_IDLE_MS", 300)
    held = acquire("queue", "a", ttl_s=0.2)
    assert held is not None
    fenced, taken = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def stopped_holder() -> None:
        try:
            with transaction.atomic():
                fence(held)
                fenced.set()
                taken.wait(30)
                Lease.objects.update(holder="a again")
        except DatabaseError as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=stopped_holder)
    thread.start()
    assert fenced.wait(30)
    try:
        while acquire("queue", "b") is None:
            continue  # not lapsed yet; once it is, this waits for the row until the database ends the other side
    finally:
        taken.set()
        thread.join(30)
    assert len(failures) == 1
    assert Lease.objects.get(name="queue").holder == "b"
