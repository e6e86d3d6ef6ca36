"""Builds a pod's status as a kubelet writes it. Pure: what is known of the containers in, a status out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # what a runtime writes as the start of what never started


@dataclass(frozen=True)
class Waiting:
    """A container that does not run yet, or not again."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Running:
    """A container that runs."""

    started_at: datetime


@dataclass(frozen=True)
class Terminated:
    """A container that ended."""

    exit_code: int
    reason: str
    started_at: datetime
    finished_at: datetime
    message: str = ""
    container_id: str = ""


ContainerState = Waiting | Running | Terminated
CREATING = Waiting("ContainerCreating")
INITIALIZING = Waiting("PodInitializing")


@dataclass(frozen=True)
class ContainerRecord:
    """What a node knows of one container of a pod."""

    name: str
    image: str
    state: ContainerState = CREATING
    last: Terminated | None = None
    restarts: int = 0
    image_id: str = ""
    container_id: str = ""


@dataclass(frozen=True)
class PodRecord:
    """What a node knows of one pod. `reason` and `phase` are set where the pod as a whole ended otherwise.

    `disruption` is the reason of the condition DisruptionTarget, for a pod that its node put out.
    """

    containers: Sequence[ContainerRecord]
    init: Sequence[ContainerRecord] = ()
    start_time: datetime | None = None
    phase: str = ""
    reason: str = ""
    message: str = ""
    disruption: str = ""
    conditions: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)


def status_of(record: PodRecord, *, restart_policy: str, now: datetime, address: str = "127.0.0.1") -> dict[str, Any]:
    """Return the status, less what others write (PodScheduled, disruption)."""
    phase = record.phase or phase_of(record, restart_policy=restart_policy)
    status: dict[str, Any] = {
        "phase": phase,
        "conditions": _conditions(record, phase, now),
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": [_container(each) for each in record.containers],
    }
    if record.init:
        status["initContainerStatuses"] = [_container(each) for each in record.init]
    if record.start_time:
        status["startTime"] = stamp(record.start_time)
    # An absent key would leave what an earlier status said.
    return {**status, "reason": record.reason or None, "message": record.message or None}


def phase_of(record: PodRecord, *, restart_policy: str) -> str:
    """Return the phase that follows from the containers."""
    if any(isinstance(each.state, Terminated) and each.state.exit_code for each in record.init):
        return "Failed" if restart_policy == "Never" else "Pending"
    if any(not isinstance(each.state, Terminated) for each in record.init):
        return "Pending"
    states = [each.state for each in record.containers]
    if any(isinstance(each.state, Waiting) and each.last is None for each in record.containers):
        return "Pending"
    if not all(isinstance(state, Terminated) for state in states) or restart_policy == "Always":
        return "Running"
    failed = any(isinstance(state, Terminated) and state.exit_code for state in states)
    if not failed:
        return "Succeeded"
    return "Failed" if restart_policy == "Never" else "Running"


def conditions_after(status: Mapping[str, Any]) -> dict[str, tuple[str, datetime]]:
    """Return type → (status, since) of a status, for the next one to keep the times of what stays."""
    return {
        each["type"]: (each["status"], datetime.fromisoformat(each["lastTransitionTime"]))
        for each in status.get("conditions", [])
        if each.get("lastTransitionTime")
    }


def stamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _conditions(record: PodRecord, phase: str, now: datetime) -> list[dict[str, Any]]:
    ended = phase in ("Succeeded", "Failed")
    initialized = all(isinstance(each.state, Terminated) and not each.state.exit_code for each in record.init)
    ready = not ended and all(isinstance(each.state, Running) for each in record.containers)
    why = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "ContainersNotReady")
    has_sandbox = not ended and any(not isinstance(each.state, Waiting) for each in (*record.containers, *record.init))
    wanted = {
        "PodReadyToStartContainers": (has_sandbox, ""),
        "Initialized": (initialized or phase == "Succeeded", "PodCompleted" if phase == "Succeeded" else ""),
        "Ready": (ready, "" if ready else why),
        "ContainersReady": (ready, "" if ready else why),
        **({"DisruptionTarget": (True, record.disruption)} if record.disruption else {}),
    }
    return [_condition(kind, holds, why, record, now) for kind, (holds, why) in wanted.items()]


def _condition(kind: str, holds: bool, why: str, record: PodRecord, now: datetime) -> dict[str, Any]:
    status = "True" if holds else "False"
    before, since = record.conditions.get(kind, ("", now))
    return {
        "type": kind,
        "status": status,
        "reason": why or None,
        "lastProbeTime": None,
        "lastTransitionTime": stamp(since if before == status else now),
    }


def _container(record: ContainerRecord) -> dict[str, Any]:
    running = isinstance(record.state, Running)
    return {
        "name": record.name,
        "image": record.image,
        "imageID": record.image_id,
        "containerID": record.container_id,
        "ready": running,
        "started": running,
        "restartCount": record.restarts,
        "state": _state(record.state),
        "lastState": _state(record.last) if record.last else {},
    }


def _state(state: ContainerState) -> dict[str, Any]:
    if isinstance(state, Waiting):
        return {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
    if isinstance(state, Running):
        return {"running": {"startedAt": stamp(state.started_at)}}
    told = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": stamp(state.started_at),
        "finishedAt": stamp(state.finished_at),
        "containerID": state.container_id,
    }
    return {"terminated": told | ({"message": state.message} if state.message else {})}
