"""The reflector, with its shipped patience, over a real API server that goes away and comes back."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.kube.client import connect_file, load_credentials
from portal.kube.types import CONFIGMAPS, Partial
from portal.kube.watch import Change, Reflector, Selection
from tests.cluster.outage import Relay
from tests.plugins.polling import until

pytestmark = pytest.mark.cluster
CONVERGED_WITHIN_S = 30


class Mirror:
    """What a reflector believes is there."""

    def __init__(self, relay: Relay, kubeconfig: Any) -> None:
        self.relay = relay
        self.direct = connect_file(kubeconfig)
        self.label = uuid.uuid4().hex[:8]
        self.present: dict[str, str] = {}
        self.stop = threading.Event()
        chosen = Selection(CONFIGMAPS, Partial, label_selector=f"outage={self.label}", namespace="default")
        self.reflector = Reflector(kube=relay.kube(kubeconfig), selection=chosen, sink=self.take)
        self.thread = threading.Thread(target=self.reflector.run, args=(self.stop,))
        self.thread.start()

    def take(self, change: Change[Partial]) -> None:
        """Keep names and versions."""
        if change.type == "DELETED":
            self.present.pop(change.metadata.name)
        elif change.type != "SYNCED":
            self.present[change.metadata.name] = change.metadata.resource_version

    def make(self, name: str, value: str = "") -> None:
        """Write an object past the relay."""
        meta = {"name": f"{self.label}-{name}", "labels": {"outage": self.label}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"value": value}}
        self.direct.apply(CONFIGMAPS, body, namespace="default")

    def drop(self, name: str) -> None:
        """Delete an object past the relay."""
        self.direct.delete(CONFIGMAPS, f"{self.label}-{name}", namespace="default")

    def truth(self) -> dict[str, str]:
        """Return what is there by the API server."""
        found = self.direct.list(
            CONFIGMAPS, namespace="default", label_selector=f"outage={self.label}", as_type=Partial
        )
        return {item.metadata.name: item.metadata.resource_version for item in found.items}

    def wait(self, what: Callable[[], bool]) -> None:
        """Wait until it is so, at most as long as is promised."""
        until(
            lambda: f"the mirror has {self.present}, {self.reflector.health()}",
            what,
            timeout_s=CONVERGED_WITHIN_S,
            every_s=0.05,
        )


@pytest.fixture
def mirror(control_plane: Any) -> Iterator[Mirror]:
    relay = Relay(load_credentials(control_plane.admin_kubeconfig).server)
    made = Mirror(relay, control_plane.admin_kubeconfig)
    for name in ("a", "b", "c"):
        made.make(name)
    made.wait(lambda: made.reflector.health().synced and made.present == made.truth())
    yield made
    made.stop.set()
    made.thread.join(15)
    relay.close()
    for name in ("a", "b", "c", "d"):
        made.drop(name)
    assert not made.thread.is_alive()


def change_everything(mirror: Mirror) -> None:
    mirror.drop("a")
    mirror.make("b", "changed")
    mirror.make("d")


def test_what_happened_while_the_api_server_was_away_is_found_when_it_returns(mirror: Mirror) -> None:
    mirror.relay.cut()
    change_everything(mirror)
    mirror.wait(lambda: not mirror.reflector.health().synced)
    time.sleep(6)  # long enough for the pauses between attempts to reach their limit
    assert mirror.present != mirror.truth()
    mirror.relay.mend()
    mirror.wait(lambda: mirror.present == mirror.truth() and mirror.reflector.health().synced)


def test_what_happened_while_the_api_server_was_stopped_comes_when_it_goes_on(mirror: Mirror) -> None:
    mirror.relay.hold()
    change_everything(mirror)
    assert mirror.present != mirror.truth()
    mirror.relay.release()
    mirror.wait(lambda: mirror.present == mirror.truth())


def test_a_stop_during_an_outage_is_obeyed(mirror: Mirror) -> None:
    mirror.relay.cut()
    mirror.wait(lambda: not mirror.reflector.health().synced)
    began = time.monotonic()
    mirror.stop.set()
    mirror.thread.join(15)
    assert time.monotonic() - began < 10
