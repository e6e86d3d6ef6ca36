"""One pod's life on the process node: a thread that starts its containers, restarts and ends them, and reports."""

import math
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.kubelet.events import Events
from portal.embedded.kubelet.podstatus import (
    CREATING,
    EPOCH,
    INITIALIZING,
    ContainerRecord,
    PodRecord,
    Running,
    Terminated,
    Waiting,
)
from portal.embedded.kubelet.reporting import Reporter
from portal.embedded.kubelet.restarts import back_off_s, has_to_restart
from portal.embedded.processnode.containers import CannotStart, Container, Ended, Runner
from portal.embedded.processnode.environment import MissingObject
from portal.embedded.processnode.roots import ImageRoot
from portal.embedded.processnode.start import ImageMissing, Starter, id_of
from portal.embedded.processnode.volumes import Objects, make_volumes, unsupported

_TICK_S = 0.5
_RETRY_S = 1.0
_DEADLINE = "Pod was active on the node longer than the specified deadline"
_GONE_CODE = 137


@dataclass(frozen=True)
class PodPlaces:
    """Where a pod's volumes, scratch files and logs are."""

    directory: Path
    logs: Path


@dataclass(frozen=True)
class Services:
    """What every pod needs of its node."""

    client: KubeClient
    events: Events
    runner: Runner
    images: list[ImageRoot]


@dataclass
class _Slot:
    """One container of the pod: what is known, what runs, when it is tried next."""

    spec: Mapping[str, Any]
    record: ContainerRecord
    running: Container | None = None
    retry_at: float = 0.0
    ends: list[Ended] = field(default_factory=list)


class PodWorker(threading.Thread):
    """Runs one pod until it has ended for good. `pod` is replaced when the cluster says something new of it."""

    def __init__(self, pod: dict[str, Any], *, places: PodPlaces, services: Services) -> None:
        super().__init__(name=f"pod-{pod['metadata']['name']}", daemon=True)
        self.pod = pod
        self.places = places
        self._services = services
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._reporter = Reporter(services.client, pod)
        self._start_time = datetime.now(UTC)
        self._began = time.monotonic()
        self._init = [_slot(each, CREATING) for each in pod["spec"].get("initContainers", [])]
        first = INITIALIZING if self._init else CREATING
        self._main = [_slot(each, first) for each in pod["spec"]["containers"]]
        self._volumes: dict[str, Path] | None = None
        self._objects = Objects(services.client, pod["metadata"]["namespace"])
        self._volumes_retry_at = 0.0
        self._kill_at: float | None = None
        self._why: tuple[str, str] = ("", "")
        self._starter = Starter(pod, places=places.logs, scratch=places.directory, services=services)
        self.is_vanished = False

    @property
    def slots(self) -> list[_Slot]:
        """Return every container, the first ones first."""
        return [*self._init, *self._main]

    def tell(self, pod: dict[str, Any]) -> None:
        """Hand over what the cluster now says of the pod."""
        self._inbox.put(("pod", pod))

    def vanish(self) -> None:
        """End at once: the cluster knows no such pod any more."""
        self.is_vanished = True
        self._inbox.put(("vanish", None))

    def log_of(self, container: str) -> tuple[ContainerRecord, Container | None] | None:
        """Return what is known of a container and what runs of it; None for one that there is not."""
        return next(((slot.record, slot.running) for slot in self.slots if slot.record.name == container), None)

    def run(self) -> None:
        """Live until the pod has ended and the cluster knows."""
        if problem := unsupported(self.pod):
            self._why = ("UnexpectedAdmissionError", problem)
            self._begin_stop(0)
        self._step()
        while not (self._report() and self._is_over()):
            self._wait()
            self._step()
        if self._is_deleted and not self.is_vanished:
            while not self._reporter.remove():
                time.sleep(_RETRY_S)

    def _step(self) -> None:
        if self._is_deleted and self._kill_at is None:
            self._services.events.tell(self.pod, "Killing", "Stopping container")
            self._begin_stop(self.pod["metadata"].get("deletionGracePeriodSeconds") or 0)
        limit_s = self.pod["spec"].get("activeDeadlineSeconds")
        if limit_s and self._kill_at is None and time.monotonic() - self._began >= limit_s:
            self._why = ("DeadlineExceeded", _DEADLINE)
            self._begin_stop(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        if self._kill_at is None:
            self._advance()
        elif time.monotonic() >= self._kill_at:
            for slot in self.slots:
                if slot.running:
                    slot.running.kill()

    def _advance(self) -> None:
        if self._volumes is None and not self._make_volumes():
            return
        for slot in self._init:
            if not _succeeded(slot):
                self._try(slot)
                return
        for slot in self._main:
            if slot.record.state == INITIALIZING:
                slot.record = replace(slot.record, state=CREATING)
            self._try(slot)

    def _make_volumes(self) -> bool:
        if time.monotonic() < self._volumes_retry_at:
            return False
        try:
            self._volumes = make_volumes(self.pod, self.places.directory / "volumes", self._objects)
        except (MissingObject, OSError) as exc:
            self._volumes_retry_at = time.monotonic() + _RETRY_S
            self._services.events.tell(self.pod, "FailedMount", f"MountVolume.SetUp failed: {exc}", warning=True)
            return False
        return True

    def _try(self, slot: _Slot) -> None:
        """Start a container where it is due."""
        policy = self._policy(slot)
        if slot.running or time.monotonic() < slot.retry_at or not has_to_restart(slot.record, policy):
            return
        try:
            slot.running, image = self._starter.start(
                slot.spec, run=len(slot.ends), volumes=self._volumes or {}, objects=self._objects,
                on_end=lambda ended: self._inbox.put(("ended", (slot, ended))),
            )  # fmt: skip
        except ImageMissing as exc:
            self._refuse(slot, exc)
        except (MissingObject, KeyError) as exc:
            slot.record = replace(slot.record, state=Waiting("CreateContainerConfigError", str(exc)))
            slot.retry_at = time.monotonic() + _RETRY_S
        except (CannotStart, OSError) as exc:
            self._never_started(slot, str(exc))
        else:
            identity = id_of(self.pod, slot.record.name, len(slot.ends))
            slot.record = replace(
                slot.record, state=Running(slot.running.started_at), image_id=image.image_id, container_id=identity
            )
            self._services.events.tell(self.pod, "Started", f"Started container {slot.record.name}")

    def _refuse(self, slot: _Slot, exc: ImageMissing) -> None:
        """Say that an image cannot be had; the next look at it is at once said to be a while off."""
        before = slot.record.state
        if isinstance(before, Waiting) and before.reason == exc.reason:
            message = f'Back-off pulling image "{slot.record.image}": {exc.reason}: {exc}'
            state = Waiting("ImagePullBackOff", message) if exc.reason == "ErrImagePull" else before
        else:
            state = Waiting(exc.reason, str(exc))
            self._services.events.tell(self.pod, "Failed", str(exc), warning=True)
        slot.record = replace(slot.record, state=state)
        slot.retry_at = time.monotonic() + (_RETRY_S if state.reason == exc.reason else 30.0)

    def _never_started(self, slot: _Slot, said: str) -> None:
        message = f"failed to create task: {said}"
        ended = Ended(128, out_of_memory=False, finished_at=datetime.now(UTC))
        self._services.events.tell(self.pod, "Failed", f"Error: {message}", warning=True)
        self._ended(slot, ended, Terminated(128, "StartError", EPOCH, ended.finished_at, message))

    def _ended(self, slot: _Slot, ended: Ended, state: Terminated) -> None:
        slot.running = None
        slot.ends.append(ended)
        record = replace(slot.record, state=state, image_id=slot.record.image_id)
        if self._kill_at is None and has_to_restart(record, self._policy(slot)):
            delay_s = back_off_s(len(slot.ends))
            slot.retry_at = time.monotonic() + delay_s
            what = f"back-off {math.ceil(delay_s)}s restarting failed container={record.name}"
            waiting = Waiting("CrashLoopBackOff", what) if delay_s else CREATING
            record = replace(record, state=waiting, last=state, restarts=record.restarts + 1)
        slot.record = record

    def _policy(self, slot: _Slot) -> str:
        policy = str(self.pod["spec"].get("restartPolicy", "Always"))
        return "OnFailure" if policy == "Always" and slot in self._init else policy

    def _begin_stop(self, grace_s: float) -> None:
        self._kill_at = time.monotonic() + grace_s
        for slot in self.slots:
            if slot.running and grace_s > 0:
                slot.running.terminate()

    @property
    def _is_deleted(self) -> bool:
        return bool(self.pod["metadata"].get("deletionTimestamp"))

    def _is_over(self) -> bool:
        if any(slot.running for slot in self.slots):
            return False
        if self.is_vanished or self._kill_at is not None:
            return True
        if any(_failed(slot) for slot in self._init):
            return True
        return all(isinstance(slot.record.state, Terminated) for slot in self._main)

    def _report(self) -> bool:
        if self.is_vanished:
            return True
        stopped = self._kill_at is not None and self._is_over()
        if stopped:
            for slot in self.slots:
                slot.record = _as_ended(slot.record)
        codes = [slot.record.state.exit_code for slot in self.slots if isinstance(slot.record.state, Terminated)]
        phase = "" if not stopped else "Failed" if self._why[0] or any(codes) else "Succeeded"
        reason, message = self._why if stopped else ("", "")
        return self._reporter.report(
            PodRecord(
                containers=[slot.record for slot in self._main],
                init=[slot.record for slot in self._init],
                start_time=self._start_time,
                phase=phase,
                reason=reason,
                message=message,
            )
        )

    def _wait(self) -> None:
        """Wait for news, at most until something is due."""
        now = time.monotonic()
        dues = [slot.retry_at for slot in self.slots if slot.retry_at > now]
        dues += [self._kill_at] if self._kill_at and self._kill_at > now else []
        if limit_s := self.pod["spec"].get("activeDeadlineSeconds"):
            dues.append(self._began + limit_s)
        timeout_s = min([_TICK_S, *(max(0.0, due - now) for due in dues if due > now)])
        try:
            kind, what = self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return
        if kind == "pod":
            self.pod = what
        elif kind == "vanish":
            self._begin_stop(0)
        else:
            slot, ended = what
            self._ended(slot, ended, self._starter.ended(slot.spec, slot.record, ended))


def _slot(spec: Mapping[str, Any], state: Waiting) -> _Slot:
    return _Slot(spec, ContainerRecord(name=spec["name"], image=spec["image"], state=state))


def _succeeded(slot: _Slot) -> bool:
    return isinstance(slot.record.state, Terminated) and not slot.record.state.exit_code


def _failed(slot: _Slot) -> bool:
    return isinstance(slot.record.state, Terminated) and bool(slot.record.state.exit_code)


def _as_ended(record: ContainerRecord) -> ContainerRecord:
    """Return a container of a pod that was stopped: one that waited has ended too, and never did what it was for."""
    if isinstance(record.state, Terminated):
        return record
    what = "The container could not be located when the pod was terminated"
    ended = Terminated(_GONE_CODE, "ContainerStatusUnknown", EPOCH, datetime.now(UTC), what)
    return replace(record, state=ended)
