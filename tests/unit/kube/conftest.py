"""A reflector over the in-memory cluster, running in a thread of its own, and what it told."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.kube.fake import FakeKube
from portal.kube.gateway import Object
from portal.kube.types import PODS, Pod
from portal.kube.watch import Change, Health, Reflector, Selection, Timing
from tests.plugins.polling import until

FAST = Timing(
    inactivity_s=0.4, relist_every_s=60, backoff_first_s=0.01, backoff_max_s=0.05, relist_jitter_s=0.05, page_size=2
)


def pod(name: str, *, namespace: str = "default", **labels: str) -> Object:
    """Return a small pod."""
    meta = {"name": name, "namespace": namespace, "labels": {"berth": "yes", **labels}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": []}}


class Watched:
    """What a reflector told, and how to wait for it."""

    def __init__(self, kube: FakeKube) -> None:
        self.kube = kube
        self.changes: list[Change[Pod]] = []
        self.refuse: Callable[[Change[Pod]], None] = lambda change: None
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []
        self.reflector: Reflector[Pod] | None = None

    def start(self, **timing: Any) -> Reflector[Pod]:
        """Start to reflect pods with the label."""
        pace = Timing(**{**FAST.__dict__, **timing})
        chosen = Selection(PODS, Pod, label_selector="berth=yes")
        self.reflector = Reflector(kube=self.kube, selection=chosen, sink=self.take, timing=pace)
        self.threads.append(threading.Thread(target=self.reflector.run, args=(self.stop,)))
        self.threads[-1].start()
        return self.reflector

    def take(self, change: Change[Pod]) -> None:
        """Be the sink."""
        self.refuse(change)
        self.changes.append(change)

    @property
    def told(self) -> list[str]:
        """Return the changes in short."""
        return [f"{change.type} {change.metadata.name}".strip() for change in self.changes]

    def wait_for(self, what: Callable[[], bool], timeout_s: float = 10) -> None:
        """Wait until it is so, or fail with what was told."""
        until(lambda: f"so far {self.told}", what, timeout_s=timeout_s, every_s=0.005)

    def wait_told(self, *lines: str) -> None:
        """Wait until exactly this was told."""
        self.wait_for(lambda: self.told == list(lines))

    def wait_watching(self) -> None:
        """Wait until a watch is open."""
        self.wait_for(lambda: bool(self.kube.store.streams))

    def reflector_health(self) -> Health:
        """Return the reflector's own word."""
        assert self.reflector is not None
        return self.reflector.health()

    def end(self) -> None:
        """Stop all threads."""
        self.stop.set()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched(FakeKube(namespaces=["berth-x"]))
    yield made
    made.end()
