"""Hints: sent after the commit, heard by who waits, and harmless when the broker is away."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from portal.core import hints
from portal.core.hints import Sender, backlog, flush, hint, wait_for_wake, wake
from workloads.tasks import reconcile_workload

pytestmark = pytest.mark.django_db(transaction=True)


class Conf:
    task_always_eager = False


class App:
    conf = Conf()


class RecordedTask:
    """Stands for a Celery task: remembers what it was called with."""

    name = "recorded"
    app = App()

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, ...]] = []
        self._error = error

    def apply_async(self, *, args: tuple[str, ...], **_options: object) -> None:
        self.calls.append(args)
        if self._error is not None:
            raise self._error


def test_a_hint_goes_out_after_the_commit_and_never_after_a_rollback() -> None:
    task = RecordedTask()
    with transaction.atomic():
        hint(task, "1")
        assert flush()
        assert task.calls == []
    with transaction.atomic():
        hint(task, "2")
        transaction.set_rollback(True)
    assert flush()
    assert task.calls == [("1",)]


def test_a_broker_that_fails_is_nobodys_error_and_the_next_hint_is_sent() -> None:
    failing, working = RecordedTask(ConnectionError("refused")), RecordedTask()
    hint(failing, "1")
    hint(working, "2")
    assert flush()
    assert (failing.calls, working.calls) == ([("1",)], [("2",)])


def test_a_broker_that_hangs_holds_nobody_up_and_what_waits_is_bounded_and_sent_once() -> None:
    sender, hangs, started = Sender(max_pending=3), threading.Event(), threading.Event()
    sent: list[str] = []

    def hang() -> None:
        started.set()
        hangs.wait(30)

    sender.put(("hang",), hang)
    assert started.wait(30)
    for name in ("a", "b", "b", "c", "d"):
        sender.put((name,), partial(sent.append, name))
    assert not sender.flush(0.05)
    hangs.set()
    assert sender.flush(30)
    assert sent == ["b", "c", "d"]


def test_a_wake_is_heard_at_once_by_each_who_waits() -> None:
    ready = threading.Barrier(3)

    def wait() -> bool:
        wait_for_wake("test", 0.01)  # opens this thread's subscription
        ready.wait(30)
        return wait_for_wake("test", 30)

    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(wait) for _ in range(2)]
        ready.wait(30)
        started = time.monotonic()
        wake("test")
        assert [found.result() for found in waiting] == [True, True]
    assert time.monotonic() - started < 5


def test_a_wake_between_two_waits_is_not_lost_and_several_are_one() -> None:
    wait_for_wake("between", 0.01)
    for _ in range(3):
        wake("between")
        assert flush()
    # The broker may answer who publishes before it writes to who listens; by its answer to the next command it has.
    assert hints._client().ping()
    assert wait_for_wake("between", 30)
    assert not wait_for_wake("between", 0.05)


def test_once_a_wait_has_ended_no_wake_is_lost_even_if_it_was_the_first_and_waited_for_nothing() -> None:
    wait_for_wake("first", 0)
    assert hints._client().pubsub_numsub(hints.wake_topic("first")) == [(hints.wake_topic("first").encode(), 1)]


def test_without_a_broker_a_wait_ends_by_its_timeout_and_a_wake_is_lost_quietly(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "_clients", {})
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()
    wake("nobody")
    assert time.monotonic() - started < 1
    assert not wait_for_wake("nobody", 0.2)
    assert 0.2 <= time.monotonic() - started < 5
    assert flush()
    assert backlog() == 0


def test_the_backlog_is_what_waits_in_the_queue_of_the_workers() -> None:
    before = backlog()
    reconcile_workload.apply_async(args=(str(uuid.uuid4()),))
    assert backlog() == before + 1
