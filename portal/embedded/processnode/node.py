"""The process node: a Node whose pods are processes of this machine. Ties watch, pods and logs together."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.kubelet.crilog import LogQuery, read_log
from portal.embedded.kubelet.endpoint import LogEndpoint, LogTarget, NoSuchLog
from portal.embedded.kubelet.events import Events
from portal.embedded.kubelet.feed import Feed
from portal.embedded.kubelet.heartbeat import Heartbeat
from portal.embedded.kubelet.nodeobject import NodeSpec
from portal.embedded.kubelet.podstatus import EPOCH, ContainerRecord, PodRecord, Terminated, Waiting
from portal.embedded.kubelet.reporting import Reporter
from portal.embedded.node import gpulabels
from portal.embedded.processnode.containers import Runner
from portal.embedded.processnode.pod import PodPlaces, PodWorker, Services
from portal.embedded.processnode.roots import ImageRoot
from portal.embedded.processnode.start import RUNTIME, log_file
from portal.embedded.processnode.volumes import remove_volumes

_ENDED = ("Succeeded", "Failed")
_RESTARTED = "The node was started anew, and what ran on it did not survive that."
_REGISTER_AGAIN_S = 1.0
_KEEP_FREE_MIB = 256


@dataclass(frozen=True)
class NodeSettings:
    """What a process node is told at its start."""

    name: str
    api_url: str
    pki: Path
    state_dir: Path
    gpus: int = 0
    gpu_product: str = gpulabels.PRODUCTS[0]
    isolated: bool = True


class ProcessNode:
    """A running node. `run` stays until the stop event."""

    def __init__(self, settings: NodeSettings, images: list[ImageRoot], *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._client = KubeClient(settings.api_url, pki=settings.pki, name="kubelet")
        self._endpoint = LogEndpoint(pki=settings.pki, open_log=self._open_log)
        self._services = Services(
            client=self._client,
            events=Events(self._client, settings.name),
            runner=Runner(isolated=settings.isolated),
            images=images,
        )
        self._pods: dict[str, dict[str, Any]] = {}
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Register, and run pods until the stop event; containers end with this process."""
        self._endpoint.start()
        heartbeat = Heartbeat(self._client, node_spec(self._settings, port=self._endpoint.port))
        while (problem := heartbeat.register()) and not stop.wait(_REGISTER_AGAIN_S):
            self._say(f"not registered yet: {problem}")
        feed = Feed(
            self._client,
            "/api/v1/pods",
            query=f"fieldSelector=spec.nodeName%3D{self._settings.name}",
            on_object=self._on_pod,
            on_gone=self._on_gone,
        )
        threads = [threading.Thread(target=each.run, args=(stop,), daemon=True) for each in (heartbeat, feed)]
        for thread in threads:
            thread.start()
        stop.wait()
        self._endpoint.close()

    def _on_pod(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            self._pods[uid] = pod
            worker = self._workers.get(uid)
        if worker is not None and worker.is_alive():
            worker.tell(pod)
        elif pod.get("status", {}).get("phase") in _ENDED:
            self._remove_if_asked(pod)
        elif worker is None and pod.get("status", {}).get("startTime"):
            self._fail_as_restarted(pod)
        elif worker is None:
            self._begin(pod)

    def _begin(self, pod: dict[str, Any]) -> None:
        worker = PodWorker(pod, places=self._places(pod["metadata"]["uid"]), services=self._services)
        with self._lock:
            self._workers[pod["metadata"]["uid"]] = worker
        worker.start()

    def _on_gone(self, pod: dict[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        with self._lock:
            self._pods.pop(uid, None)
            worker = self._workers.pop(uid, None)
        places = self._places(uid)
        # Not here: a container takes a moment to end, and other pods must not wait for it.
        threading.Thread(target=_clear, args=(worker, places), daemon=True).start()

    def _remove_if_asked(self, pod: dict[str, Any]) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            Reporter(self._client, pod).remove()

    def _fail_as_restarted(self, pod: dict[str, Any]) -> None:
        reporter = Reporter(self._client, pod)
        reporter.report(restarted_record(pod, now=datetime.now(UTC)))
        self._remove_if_asked(pod)

    def _places(self, uid: str) -> PodPlaces:
        base = self._settings.state_dir
        return PodPlaces(base / "pods" / uid, base / "pod-logs" / uid)

    def _open_log(self, target: LogTarget, query: LogQuery) -> Iterator[bytes]:
        uid, statuses = self._find(target)
        run = int(statuses.get("restartCount", 0)) - target.previous
        with self._lock:
            worker = self._workers.get(uid)
        known = worker.log_of(target.container) if worker else None
        if known is not None:
            run = known[0].restarts - target.previous
            if known[1] is None and isinstance(known[0].state, Waiting) and known[0].last is not None:
                run -= not target.previous  # between two runs the one that ended is the current one
        path = log_file(self._places(uid).logs, target.container, run)
        if run < 0 or not path.exists():
            raise NoSuchLog(f"container {target.container} of pod {target.pod} is waiting to start, or its log is gone")
        running = known[1] if known and not target.previous else None
        writer = running.log if running is not None and running.log.path == path else None
        return read_log(path, query, writer=writer)

    def _find(self, target: LogTarget) -> tuple[str, dict[str, Any]]:
        with self._lock:
            pods = list(self._pods.values())
        for pod in pods:
            if (pod["metadata"]["namespace"], pod["metadata"]["name"]) == (target.namespace, target.pod):
                statuses = pod.get("status", {})
                listed = [*statuses.get("containerStatuses", []), *statuses.get("initContainerStatuses", [])]
                return pod["metadata"]["uid"], next((each for each in listed if each["name"] == target.container), {})
        raise NoSuchLog(f"pod {target.namespace}/{target.pod} is not on this node")


def node_spec(settings: NodeSettings, *, port: int) -> NodeSpec:
    """Return the node as the cluster is told of it: the machine's cores and memory, and pretended GPUs."""
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    return NodeSpec(
        name=settings.name,
        runtime=f"{RUNTIME}://1.0.0",
        port=port,
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=max(memory_mib - _KEEP_FREE_MIB, 64),
        ephemeral_mib=shutil.disk_usage(settings.state_dir).free // (1 << 20),
        gpus=settings.gpus,
        labels={"berth.dev/node": "process", **gpulabels.labels(settings.gpus, settings.gpu_product)},
    )


def restarted_record(pod: dict[str, Any], *, now: datetime) -> PodRecord:
    """Return the end of a pod that ran when its node ended."""
    status = pod.get("status", {})
    seen = {each["name"]: each for each in status.get("containerStatuses", [])}
    return PodRecord(
        containers=[_lost(each, seen.get(each["name"], {}), now) for each in pod["spec"]["containers"]],
        start_time=datetime.fromisoformat(status["startTime"]),
        phase="Failed",
        reason="NodeRestarted",
        message=_RESTARTED,
    )


def _lost(container: dict[str, Any], seen: dict[str, Any], now: datetime) -> ContainerRecord:
    state = seen.get("state", {})
    told = state.get("terminated") or {}
    started = (state.get("running") or told).get("startedAt")
    began = datetime.fromisoformat(started) if started else EPOCH
    ended = Terminated(137, "ContainerStatusUnknown", began, now, _RESTARTED, seen.get("containerID", ""))
    if told:
        finished = datetime.fromisoformat(told["finishedAt"])
        ended = Terminated(told["exitCode"], told["reason"], began, finished, told.get("message", ""))
    return ContainerRecord(
        name=container["name"],
        image=container["image"],
        state=ended,
        restarts=int(seen.get("restartCount", 0)),
        image_id=seen.get("imageID", ""),
        container_id=seen.get("containerID", ""),
    )


def _clear(worker: PodWorker | None, places: PodPlaces) -> None:
    if worker is not None:
        worker.vanish()
        worker.join()
    remove_volumes(places.directory)
    shutil.rmtree(places.logs, ignore_errors=True)
