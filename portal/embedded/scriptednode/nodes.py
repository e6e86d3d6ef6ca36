"""The scripted nodes themselves: registered, kept alive by their leases, silent when the control file says so."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.kubelet.endpoint import LogEndpoint
from portal.embedded.kubelet.feed import Feed
from portal.embedded.kubelet.heartbeat import Heartbeat
from portal.embedded.kubelet.nodeobject import NodeSpec
from portal.embedded.node import gpulabels
from portal.embedded.scriptednode.control import ControlFile
from portal.embedded.scriptednode.crowd import Crowd

RUNTIME = "scripted://1.0.0"
# A kubelet renews each 10 s; the cluster waits for 50 s, and hundreds of nodes share one process and one store.
_LEASE_EVERY_S = 15.0
_STATUS_EVERY_ROUNDS = 20
_REGISTRARS = 8
_RENEWERS = 6
_REGISTER_AGAIN_S = 1.0
_LOOK_EVERY_S = 0.5
_CLIENT = "admin"
_PODS = "fieldSelector=spec.nodeName%21%3D"


@dataclass(frozen=True)
class CrowdSettings:
    """What scripted nodes are told at their start; sizes are those of each node."""

    count: int
    api_url: str
    pki: Path
    control_file: Path
    cpus: int = 64
    memory_mib: int = 512 * 1024
    pods: int = 110
    gpus: int = 0
    gpu_product: str = gpulabels.PRODUCTS[0]


def names_of(count: int) -> list[str]:
    """Return the names of so many nodes."""
    return [f"scripted-{n:04d}" for n in range(1, count + 1)]


def node_specs(settings: CrowdSettings, *, port: int) -> list[NodeSpec]:
    """Return the nodes as the cluster is told of them."""
    labels = {"berth.dev/node": "scripted", **gpulabels.labels(settings.gpus, settings.gpu_product)}
    return [
        NodeSpec(
            name=name,
            runtime=RUNTIME,
            port=port,
            cpus=settings.cpus,
            memory_mib=settings.memory_mib,
            pods=settings.pods,
            gpus=settings.gpus,
            ephemeral_mib=1 << 20,
            labels=labels,
        )
        for name in names_of(settings.count)
    ]


class ScriptedNodes:
    """All scripted nodes of one process. `run` stays until the stop event."""

    def __init__(self, settings: CrowdSettings, *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._client = KubeClient(settings.api_url, pki=settings.pki, name=_CLIENT)
        self._control = ControlFile(settings.control_file, say=say)
        self._names = frozenset(names_of(settings.count))
        self._crowd = Crowd(self._client, self._names, script_of=self._control.script_for)
        self._endpoint = LogEndpoint(pki=settings.pki, open_log=self._crowd.open_log)

    def run(self, stop: threading.Event) -> None:
        """Register, and play until the stop event."""
        self._look()
        self._endpoint.start()
        specs = node_specs(self._settings, port=self._endpoint.port)
        beats = {spec.name: Heartbeat(self._client, spec) for spec in specs}
        self._register(beats, stop)
        feed = Feed(self._client, "/api/v1/pods", query=_PODS, on_object=self._crowd.take, on_gone=self._crowd.gone)
        targets: list[Callable[[], None]] = [
            lambda: feed.run(stop), lambda: self._crowd.run(stop), lambda: self._keep_alive(beats, stop),
        ]  # fmt: skip
        for target in targets:
            threading.Thread(target=target, daemon=True).start()
        while not stop.wait(_LOOK_EVERY_S):
            for name in self._look():
                beats[name].tell_status()
                beats[name].renew()
        self._endpoint.close()

    def _look(self) -> frozenset[str]:
        """Read the control file; return the nodes that speak again."""
        if not self._control.look():
            return frozenset()
        self._crowd.end_per_s = self._control.control.end_per_s
        before, silent = self._crowd.silent, self._control.control.silent_of(self._names)
        if silent != before:
            self._say(f"silent: {', '.join(sorted(silent)) or 'none'}")
            self._crowd.silence(silent)
        return before - silent

    def _register(self, beats: dict[str, Heartbeat], stop: threading.Event) -> None:
        """Register every node, each until the cluster takes it."""
        began = time.monotonic()

        def register(name: str) -> None:
            while (problem := beats[name].register()) and not stop.wait(_REGISTER_AGAIN_S):
                self._say(f"{name} is not registered yet: {problem}")

        with ThreadPoolExecutor(_REGISTRARS, thread_name_prefix="registrar") as pool:
            list(pool.map(register, beats))
        self._say(f"{len(beats)} nodes registered in {time.monotonic() - began:.1f} s")

    def _keep_alive(self, beats: dict[str, Heartbeat], stop: threading.Event) -> None:
        """Renew leases evenly over time, so that the store never gets them all at once, by a few threads."""
        with ThreadPoolExecutor(_RENEWERS, thread_name_prefix="renewer") as pool:
            rounds, began = 0, time.monotonic()
            while not stop.is_set():
                rounds += 1
                waiting = []
                for n, (name, beat) in enumerate(beats.items()):
                    if stop.wait(max(0.0, began + n * _LEASE_EVERY_S / len(beats) - time.monotonic())):
                        return
                    if name not in self._crowd.silent:
                        with_status = (rounds + n) % _STATUS_EVERY_ROUNDS == 0
                        waiting.append(pool.submit(self._beat, beat, with_status=with_status))
                wait(waiting)  # a server that is slow is not asked twice at once for a node
                began = max(began + _LEASE_EVERY_S, time.monotonic() - _LEASE_EVERY_S)
                stop.wait(max(0.0, began - time.monotonic()))

    def _beat(self, beat: Heartbeat, *, with_status: bool) -> None:
        told = beat.tell_status() if with_status else ""
        if beat.renew() or told:
            beat.register()
