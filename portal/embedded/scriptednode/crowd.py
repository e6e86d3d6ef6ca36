"""Plays the pods of all scripted nodes: one clock, a few threads that tell the cluster, and no thread a pod."""

import heapq
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.kubelet.crilog import LogQuery
from portal.embedded.kubelet.endpoint import LogTarget, NoSuchLog
from portal.embedded.kubelet.reporting import Reporter
from portal.embedded.scriptednode import logtext
from portal.embedded.scriptednode.play import Part, Run, Scene, part_of, record_of, scene
from portal.embedded.scriptednode.script import BadScript, Script

WORKERS = 6
_ENDED = ("Succeeded", "Failed")
_RETRY_S = 1.0
_LONGEST_NAP_S = 0.2
_CONTAINER_KEYS = ("name", "image")
_SPEC_KEYS = ("nodeName", "restartPolicy", "activeDeadlineSeconds")
_METADATA_KEYS = ("namespace", "name", "uid", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(slots=True)
class _Actor:
    """One pod. `settled`: the cluster knows how it ended."""

    pod: dict[str, Any]
    part: Part
    reporter: Reporter
    begun: float
    settled: bool
    is_queued: bool = False
    is_wanted_again: bool = False
    moved: threading.Event = field(default_factory=threading.Event)

    @property
    def node(self) -> str:
        return str(self.pod["spec"]["nodeName"])

    @property
    def is_deleted(self) -> bool:
        return bool(self.pod["metadata"].get("deletionTimestamp"))


class Crowd:
    """All pods of the nodes. `script_of` says what a pod plays, `silent` which nodes say nothing.

    `end_per_s` is how many running pods are ended each second of those that never end by themselves, the oldest first.
    """

    def __init__(self, client: KubeClient, nodes: frozenset[str], *, script_of: Callable[[Any], Script]) -> None:
        self.silent: frozenset[str] = frozenset()
        self.end_per_s = 0.0
        self._client = client
        self._nodes = nodes
        self._script_of = script_of
        self._actors: dict[str, _Actor] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._endless: deque[str] = deque()
        self._due: list[tuple[float, int, str]] = []
        self._tickets = itertools.count()
        self._lock = threading.Condition()
        self._work: queue.SimpleQueue[_Actor | None] = queue.SimpleQueue()

    def run(self, stop: threading.Event, *, workers: int = WORKERS) -> None:
        """Play until the stop event."""
        threads = [threading.Thread(target=self._tell_all, name=f"teller-{n}", daemon=True) for n in range(workers)]
        for thread in threads:
            thread.start()
        before, owed = time.monotonic(), 0.0
        while not stop.is_set():
            with self._lock:
                now, since = time.time(), time.monotonic() - before
                before += since
                owed = self._end_some(min(owed + since * self.end_per_s, self.end_per_s), now)
                while self._due and self._due[0][0] <= now:
                    if actor := self._actors.get(heapq.heappop(self._due)[2]):
                        self._want(actor)
                self._lock.wait(min(_LONGEST_NAP_S, self._due[0][0] - now) if self._due else _LONGEST_NAP_S)
        for _ in threads:
            self._work.put(None)

    def take(self, pod: dict[str, Any]) -> None:
        """Take what the cluster now says of a pod; those of other nodes are none of ours."""
        if pod["spec"].get("nodeName") not in self._nodes:
            return
        uid, deleted = pod["metadata"]["uid"], pod["metadata"].get("deletionTimestamp")
        with self._lock:
            actor = self._actors.get(uid)
            if actor is None:
                actor = self._actors[uid] = self._cast(pod)
                self._names[pod["metadata"]["namespace"], pod["metadata"]["name"]] = uid
                if actor.part.script.end == "never":
                    self._endless.append(uid)
            elif actor.pod["metadata"].get("deletionTimestamp") != deleted:
                actor.pod = _trimmed(pod)
                actor.part = part_of(actor.pod, actor.part.script, begun=actor.begun, trouble=actor.part.trouble)
                actor.moved.set()
            else:
                return  # the echo of our own word
            self._want(actor)

    def gone(self, pod: dict[str, Any]) -> None:
        """Forget a pod."""
        metadata = pod["metadata"]
        with self._lock:
            actor = self._actors.pop(metadata["uid"], None)
            if self._names.get((metadata["namespace"], metadata["name"])) == metadata["uid"]:
                del self._names[metadata["namespace"], metadata["name"]]
        if actor is not None:
            actor.moved.set()

    def silence(self, nodes: frozenset[str]) -> None:
        """Let exactly these nodes say nothing; one that speaks again tells how its pods stand by now."""
        with self._lock:
            turned, self.silent = self.silent ^ nodes, nodes
            for actor in self._actors.values():
                if actor.node in turned:
                    actor.moved.set()
                    self._want(actor)

    def open_log(self, target: LogTarget, query: LogQuery) -> Iterator[bytes]:
        """Return a pod's log, as the endpoint asks for it. Raises NoSuchLog, ConnectionError of a silent node."""
        with self._lock:
            actor = self._actors.get(self._names.get((target.namespace, target.pod), ""))
        if actor is None:
            raise NoSuchLog(f"pod {target.namespace}/{target.pod} is not on this node")
        self._check_heard(actor)
        seen = scene(actor.part, time.time())
        run = seen.earlier if target.previous else seen.run
        if run is None:
            raise NoSuchLog(f"container {target.container} of pod {target.pod} is waiting to start")
        log = logtext.Log(actor.part.script, run, target.pod)
        return logtext.read(
            log, query, look=lambda: _again(actor.part, run), wait=lambda most_s: self._wait(actor, most_s)
        )

    def _end_some(self, owed: float, now: float) -> float:
        """End as many of the endless pods as are owed; return what is owed still. Called under the lock."""
        for _ in range(min(int(owed), len(self._endless))):
            uid = self._endless.popleft()
            actor = self._actors.get(uid)
            if actor is None or actor.settled:
                continue
            run = scene(actor.part, now).run
            if run is None:
                self._endless.append(uid)  # it does not run yet
                continue
            ending = replace(actor.part.script, end="exit", run_s=max(0.0, now - run.started))
            actor.part = replace(actor.part, script=ending)
            actor.moved.set()
            self._want(actor)
            owed -= 1
        return owed

    def _cast(self, pod: dict[str, Any]) -> _Actor:
        status, trouble = pod.get("status", {}), ""
        try:
            script = self._script_of(pod)
        except BadScript as exc:
            script, trouble = Script(waits="CreateContainerConfigError"), str(exc)
        started = status.get("startTime")
        begun = datetime.fromisoformat(started).timestamp() if started else time.time()
        kept = _trimmed(pod)
        part = part_of(kept, script, begun=begun, trouble=trouble)
        reporter = Reporter(self._client, {**kept, "status": status})
        return _Actor(kept, part, reporter, begun, settled=status.get("phase") in _ENDED)

    def _want(self, actor: _Actor) -> None:
        """Let a worker look at a pod; one at a time does. Called under the lock."""
        if actor.is_queued:
            actor.is_wanted_again = True
        else:
            actor.is_queued = True
            self._work.put(actor)

    def _tell_all(self) -> None:
        while (actor := self._work.get()) is not None:
            again_at = self._tell(actor)
            with self._lock:
                if again_at is not None:
                    heapq.heappush(self._due, (again_at, next(self._tickets), actor.pod["metadata"]["uid"]))
                    self._lock.notify_all()
                actor.is_queued = actor.is_wanted_again
                if actor.is_wanted_again:
                    actor.is_wanted_again = False
                    self._work.put(actor)

    def _tell(self, actor: _Actor) -> float | None:
        """Tell the cluster how a pod stands; return when to look again."""
        if actor.node in self.silent:
            return None  # looked at when it may speak again
        now = time.time()
        pod, seen = actor.pod, scene(actor.part, now)
        if not actor.settled:
            if not actor.reporter.report(record_of(pod, seen, begun=actor.begun)):
                return now + _RETRY_S
            actor.settled = seen.is_over
        if actor.settled and actor.is_deleted:
            return None if actor.reporter.remove() else now + _RETRY_S
        return None if seen.is_over else seen.due

    def _check_heard(self, actor: _Actor) -> None:
        if actor.node in self.silent:
            raise ConnectionResetError(f"node {actor.node} is silent")

    def _wait(self, actor: _Actor, most_s: float) -> None:
        """Wait for a pod's next line, at most until something happens to it."""
        due = _due_of(scene(actor.part, time.time()))
        if actor.moved.wait(max(0.0, min(most_s, due - time.time()))):
            actor.moved.clear()
        self._check_heard(actor)


def _due_of(seen: Scene) -> float:
    return float("inf") if seen.due is None else seen.due


def _again(part: Part, run: Run) -> Run:
    """Return what is known by now of a run that was found before."""
    seen = scene(part, time.time())
    known = (each for each in (seen.run, seen.earlier) if each is not None and each.started == run.started)
    return next(known, Run(run.started, run.started + part.script.run_s))


def _trimmed(pod: dict[str, Any]) -> dict[str, Any]:
    """Return what is needed of a pod: whole objects of thousands would fill the memory."""
    metadata, spec = pod["metadata"], pod["spec"]
    groups = [group for group in ("containers", "initContainers") if spec.get(group)]
    containers = {group: [{key: each[key] for key in _CONTAINER_KEYS} for each in spec[group]] for group in groups}
    return {
        "metadata": {key: metadata[key] for key in _METADATA_KEYS if key in metadata},
        "spec": {key: spec[key] for key in _SPEC_KEYS if key in spec} | containers,
    }
