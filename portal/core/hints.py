"""Hints over the broker: "look at this row now". Losing any of them loses nothing, since sweeps repeat what they start.

A thread sends them, so that a request never waits for a broker that is away; nothing here ever raises to its caller.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from celery import current_app
from django.conf import settings
from django.db import transaction

MAX_PENDING = 10_000
FLUSH_AT_EXIT_S = 1.0
_SOCKET_TIMEOUT_S = 1.0
_LOG_EVERY_S = 10.0

log = structlog.get_logger(__name__)


class Sender:
    """Sends hints in order from one thread of its own; equal hints that wait are sent once, the oldest give way."""

    def __init__(self, *, max_pending: int = MAX_PENDING) -> None:
        self._max_pending = max_pending
        self._pending: dict[tuple[object, ...], Callable[[], object]] = {}
        self._busy = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._logged_at = float("-inf")

    def put(self, key: tuple[object, ...], send: Callable[[], object]) -> None:
        """Take a hint over and return at once."""
        with self._changed:
            self._pending.setdefault(key, send)
            while len(self._pending) > self._max_pending:
                del self._pending[next(iter(self._pending))]
            self._ensure_thread()
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all is sent or has failed; False when time runs out first."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending and not self._busy, timeout_s)

    def _ensure_thread(self) -> None:
        # A fork copies the object but not its thread.
        if self._thread is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._pending))
                key = next(iter(self._pending))
                send = self._pending.pop(key)
                self._busy = True
            try:
                self._send(key, send)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _send(self, key: tuple[object, ...], send: Callable[[], object]) -> None:
        try:
            send()
        except Exception as exc:  # whatever a broker's client raises: a hint may be lost, its thread may not
            if time.monotonic() - self._logged_at > _LOG_EVERY_S:
                self._logged_at = time.monotonic()
                log.warning("hint lost, a sweep will repeat it", hint=str(key[0]), error=str(exc))


_sender = Sender()
_local = threading.local()
_clients: dict[int, "redis.Redis"] = {}


@atexit.register
def _flush_at_exit() -> None:
    _sender.flush(FLUSH_AT_EXIT_S)


def flush(timeout_s: float = FLUSH_AT_EXIT_S) -> bool:
    """Wait until every hint given so far is sent or has failed; False when time runs out first."""
    return _sender.flush(timeout_s)


def hint(task: Any, *args: str) -> None:
    """Enqueue a Celery task after the caller's commit; never raises and never waits for the broker."""
    transaction.on_commit(lambda: _enqueue(task, args), robust=True)


def wake(name: str) -> None:
    """Wake whoever waits for this name, after the caller's commit; never raises and never waits for the broker."""
    transaction.on_commit(lambda: _sender.put(("wake", name), lambda: _publish(name)), robust=True)


def wait_for_wake(name: str, timeout_s: float) -> bool:
    """Wait until `wake(name)` is heard; False after the timeout, also while the broker is away.

    Wakes between two calls from one thread are not lost: its subscription stays open.
    """
    deadline = time.monotonic() + timeout_s
    try:
        return _heard(_subscription(name), deadline)
    except (redis.RedisError, OSError):
        _subscriptions().pop(name, None)
        time.sleep(max(deadline - time.monotonic(), 0.0))
        return False


def backlog() -> int:
    """Return how many tasks wait in the broker; 0 while it is away, since then nothing waits there for anybody."""
    try:
        return int(_client().llen(current_app.conf.task_default_queue))
    except (redis.RedisError, OSError):
        return 0


def _enqueue(task: Any, args: tuple[str, ...]) -> None:
    if task.app.conf.task_always_eager:
        task.apply_async(args=args)
    else:
        _sender.put((task.name, *args), lambda: task.apply_async(args=args, retry=False))


def wake_topic(name: str) -> str:
    """Return the Redis channel of a name, for who listens in another way than `wait_for_wake`."""
    return f"berth:wake:{name}"


def _connect() -> "redis.Redis":
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=_SOCKET_TIMEOUT_S, socket_connect_timeout=_SOCKET_TIMEOUT_S
    )


def _client() -> "redis.Redis":
    client = _clients.get(os.getpid())
    if client is None:
        client = _clients[os.getpid()] = _connect()
    return client


def _publish(name: str) -> None:
    _client().publish(wake_topic(name), b"")


def _subscriptions() -> dict[str, Any]:
    known: dict[str, Any] | None = getattr(_local, "subscriptions", None)
    if known is None:
        known = _local.subscriptions = {}
    return known


def _subscription(name: str) -> Any:
    known = _subscriptions()
    if name not in known:
        pubsub = _connect().pubsub()  # type: ignore[no-untyped-call]
        pubsub.subscribe(wake_topic(name))
        if pubsub.get_message(timeout=_SOCKET_TIMEOUT_S) is None:  # until the broker confirms it, wakes are lost
            raise redis.TimeoutError(f"no confirmation of a subscription: {name}")
        known[name] = pubsub
    return known[name]


def _heard(pubsub: Any, deadline: float) -> bool:
    # A subscription made anew after a lost connection is confirmed again and counts as a wake: one may have been lost.
    heard = False
    while (left_s := deadline - time.monotonic()) > 0 and not heard:
        heard = pubsub.get_message(timeout=left_s) is not None
    while heard and pubsub.get_message(timeout=0.0) is not None:
        continue  # several wakes are one
    return heard
