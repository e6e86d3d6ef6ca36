"""What the cluster's objects say about an attempt. Pure: typed Job and Pods in, a verdict out.

Always derived from the whole current set of objects, never from single changes, so duplicate, late or reordered events
cannot mislead it. Everything read here is hostile input: missing, odd and endless values must come out harmless.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portal.kube.types import Condition, ContainerState, ContainerStatus, Job, Pod, ResourceAmounts, TerminatedState
from workloads.specs import Reason, State

MAX_TEXT_CHARS = 500
_MAX_CAUSES = 8
_MOST_CONTAINERS = 16
_MOST_RESOURCES = 8
_INT32_MAX = 2_147_483_647
_PHASES = frozenset({"Pending", "Running", "Succeeded", "Failed", "Unknown"})
_PULL_FAILURES = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
)
_START_FAILURES = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "StartError"}
)
_START_ERRORS = frozenset({"StartError", "ContainerCannotRun"})
_NODE_LOST = frozenset(
    {"NodeLost", "NodeShutdown", "Shutdown", "Terminated", "DeletionByTaintManager", "DeletionByPodGC", "NodeRestarted"}
)
_EVICTED = frozenset(
    {"Evicted", "Preempting", "PreemptionByScheduler", "EvictionByEvictionAPI", "TerminationByKubelet"}
)
_KUBELET_REFUSALS = frozenset({"UnexpectedAdmissionError", "NodeAffinity", "NodePorts", "NodeSelector"})
_SCHEDULER = re.compile(r"^(?P<available>\d{1,9})/(?P<nodes>\d{1,9}) nodes are available: (?P<causes>.*)$", re.DOTALL)
_CAUSE = re.compile(r"^(?P<count>\d{1,9}) (?P<text>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodObservation:
    """One pod, as far as people and the log collector need it."""

    uid: UUID
    name: str
    index: int
    phase: str
    reason: Reason = Reason.NONE
    params: dict[str, Any] = field(default_factory=dict)
    node_name: str = ""
    image_digest: str = ""
    containers: list[dict[str, Any]] = field(default_factory=list)
    resource_version: str = field(default="", compare=False)
    created_at: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None

    @property
    def terminal(self) -> bool:
        """Whether the pod has ended for good, so that nothing of it holds resources."""
        return self.phase in ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptObservation:
    """What an attempt is doing, and whether its pods still hold anything."""

    state: State
    reason: Reason = Reason.NONE
    params: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    node_name: str = ""
    image_digest: str = ""
    settled: bool = False


def attempt_observation(job: Job | None, pods: Sequence[PodObservation]) -> AttemptObservation:
    """Return the state of an attempt from its Job (None: not there) and its pods.

    An end is the Job's to declare, since it alone knows whether another pod follows; a pod that succeeded declares it
    too where one success is all that is asked for.
    """
    newest = sorted(pods, key=lambda pod: (pod.created_at or _EPOCH, pod.name))
    last = newest[-1] if newest else None
    settled = all(pod.terminal for pod in pods)
    if job is not None and _succeeded(job, pods):
        return _observation(State.SUCCEEDED, last, settled=settled, ended_at=_aware(job.status.completion_time))
    failed = _condition(job, "Failed") or _condition(job, "FailureTarget")
    if failed is not None:
        return _failed(failed, newest, settled=settled)
    if any(pod.phase == "Running" and pod.started_at for pod in pods):
        return _observation(State.RUNNING, last, settled=False)
    if last is None or last.phase == "Failed":
        # Between the end of a pod and the Job's word on it, or before its first pod.
        state = State.RUNNING if last and last.started_at else State.STARTING
        reason = Reason.NONE if state is State.RUNNING else Reason.CREATING
        return _observation(state, last, settled=False, reason=reason, params={})
    return _observation(State.STARTING, last, settled=False, reason=last.reason, params=last.params)


def finished(job: Job) -> bool:
    """Tell whether the Job is past the point where it may start another pod."""
    kinds = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")
    return any(_condition(job, kind) is not None for kind in kinds)


def pod_observation(pod: Pod) -> PodObservation | None:
    """Return what matters of a pod, or None for one without a proper uid."""
    try:
        uid = UUID(pod.metadata.uid)
    except ValueError:
        return None
    main = next(iter(pod.status.container_statuses), None)
    ended = main.state.terminated if main else None
    phase = pod.status.phase if pod.status.phase in _PHASES else "Unknown"
    reason, params = _pod_reason(pod, phase, main)
    return PodObservation(
        uid=uid,
        name=_text(pod.metadata.name, 253),
        index=_index(pod),
        phase=phase,
        reason=reason,
        params=params,
        node_name=_text(pod.spec.node_name, 253),
        image_digest=_text(main.image_id if main else "", 300),
        containers=[_container(status, pod) for status in pod.status.container_statuses[:_MOST_CONTAINERS]],
        resource_version=_text(pod.metadata.resource_version, 64),
        created_at=_aware(pod.metadata.creation_timestamp),
        scheduled_at=_true_since(pod, "PodScheduled"),
        started_at=_started_at(main),
        ended_at=_pod_ended_at(pod, phase, ended),
        exit_code=_small(ended.exit_code) if ended else None,
    )


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _observation(
    state: State, pod: PodObservation | None, *, settled: bool, ended_at: datetime | None = None, **said: Any
) -> AttemptObservation:
    if pod is None:
        return AttemptObservation(state=state, settled=settled, ended_at=ended_at, **said)
    return AttemptObservation(
        state=state,
        settled=settled,
        exit_code=pod.exit_code if state in (State.SUCCEEDED, State.FAILED) else None,
        scheduled_at=pod.scheduled_at,
        started_at=pod.started_at,
        ended_at=(pod.ended_at or ended_at) if state in (State.SUCCEEDED, State.FAILED) else None,
        node_name=pod.node_name,
        image_digest=pod.image_digest,
        **said,
    )


def _succeeded(job: Job, pods: Sequence[PodObservation]) -> bool:
    if _condition(job, "Complete") is not None or _condition(job, "SuccessCriteriaMet") is not None:
        return True
    return (job.spec.completions or 1) == 1 and any(pod.phase == "Succeeded" for pod in pods)


def _failed(said: Condition, pods: Sequence[PodObservation], *, settled: bool) -> AttemptObservation:
    ended_at = _aware(said.last_transition_time)
    ended = [pod for pod in pods if pod.phase == "Failed"]
    if ended:
        why = ended[-1]
        return _observation(State.FAILED, why, settled=settled, ended_at=ended_at, reason=why.reason, params=why.params)
    last = pods[-1] if pods else None
    deadline = said.reason == "DeadlineExceeded"
    reason = Reason.DEADLINE if deadline else Reason.UNKNOWN
    params = {} if deadline else _said(said.reason, said.message)
    return _observation(State.FAILED, last, settled=settled, ended_at=ended_at, reason=reason, params=params)


def _pod_reason(pod: Pod, phase: str, main: ContainerStatus | None) -> tuple[Reason, dict[str, Any]]:
    if phase == "Failed":
        return _failure(pod, main)
    if pod.status.reason == "NodeLost":
        return Reason.NODE_LOST, {"node": _text(pod.spec.node_name, 253)}
    if phase != "Pending":
        return Reason.NONE, {}
    if not pod.spec.node_name:
        return _unscheduled(pod)
    return _waiting(pod)


def _failure(pod: Pod, main: ContainerStatus | None) -> tuple[Reason, dict[str, Any]]:
    word = pod.status.reason or ""
    if word == "DeadlineExceeded":
        return Reason.DEADLINE, {"limit_s": _small(pod.spec.active_deadline_seconds or 0)}
    target = next((c for c in pod.status.conditions if c.type == "DisruptionTarget" and c.status == "True"), None)
    cause = word or (target.reason if target else "") or ""
    message = pod.status.message or (target.message if target else "")
    if cause in _NODE_LOST:
        return Reason.NODE_LOST, {"node": _text(pod.spec.node_name, 253), **_said(cause, message)}
    if cause in _EVICTED:
        return Reason.EVICTED, _said(cause, message)
    if cause in _KUBELET_REFUSALS or cause.startswith("OutOf"):
        return Reason.START_FAILED, _said(cause, message)
    return _exit(main.state.terminated if main else None, pod) or (Reason.UNKNOWN, _said(cause, message))


def _exit(ended: TerminatedState | None, pod: Pod) -> tuple[Reason, dict[str, Any]] | None:
    """Say why the pod failed by its main container, or by an init container where that never ran."""
    if ended is None:
        ended = next((e for e in map(_end_of, pod.status.init_container_statuses) if e and e.exit_code), None)
    if ended is None:
        return None
    code = _small(ended.exit_code)
    if ended.reason == "OOMKilled":
        return Reason.OOM_KILLED, {"exit_code": code, "limit": _memory_limit(pod)}
    if ended.reason in _START_ERRORS:
        return Reason.START_FAILED, {"exit_code": code, **_said(ended.reason, ended.message)}
    return Reason.EXIT_CODE, {"exit_code": code} | ({"signal": _small(ended.signal)} if ended.signal else {})


def _end_of(status: ContainerStatus) -> TerminatedState | None:
    return status.state.terminated


def _memory_limit(pod: Pod) -> str:
    limits = (container.resources.limits.get("memory", "") for container in pod.spec.containers)
    return _text(next(limits, ""), 32)


def _unscheduled(pod: Pod) -> tuple[Reason, dict[str, Any]]:
    said = next((c for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "False"), None)
    if said is None or said.reason != "Unschedulable":
        return Reason.CREATING, {}
    return Reason.UNSCHEDULABLE, scheduler_numbers(said.message or "")


def scheduler_numbers(message: str) -> dict[str, Any]:
    """Return the scheduler's message in numbers: nodes, available, causes (count and text each), and the message.

    Its form: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {…}. preemption: …`.
    """
    params: dict[str, Any] = {"message": _text(message)}
    found = _SCHEDULER.match(message)
    if found is None:
        return params
    stated = re.split(r"\.? ?(?:preemption: |no new claims to deallocate)", found["causes"], maxsplit=1)[0]
    parts = (_CAUSE.match(part.strip()) for part in re.split(r", (?=\d+ )", stated.strip().rstrip(".")))
    causes = [{"count": int(part["count"]), "text": _text(part["text"], 200)} for part in parts if part]
    return params | {
        "nodes": int(found["nodes"]),
        "available": int(found["available"]),
        "causes": causes[:_MAX_CAUSES],
    }


def _waiting(pod: Pod) -> tuple[Reason, dict[str, Any]]:
    """Say what holds up a pod that has a node, by its first container that has not started."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    held = next((status for status in statuses if status.state.waiting is not None), None)
    if held is None or held.state.waiting is None:
        return Reason.CONTAINER_CREATING, {}
    word, image = held.state.waiting.reason or "", {"image": _text(held.image or _image_of(pod, held.name), 300)}
    said = image | _said(word, held.state.waiting.message)
    if word == "InvalidImageName":
        return Reason.IMAGE_INVALID, said
    if word in _PULL_FAILURES:
        return Reason.IMAGE_PULL_FAILED, said
    if word in _START_FAILURES or word == "CrashLoopBackOff":
        return Reason.START_FAILED, said
    sandbox = any(c.type == "PodReadyToStartContainers" and c.status == "True" for c in pod.status.conditions)
    # With the sandbox up and no image yet, what a starting container waits for is its image.
    return (Reason.PULLING_IMAGE, image) if sandbox and not held.image_id else (Reason.CONTAINER_CREATING, {})


def _image_of(pod: Pod, container: str) -> str:
    return next((c.image for c in (*pod.spec.containers, *pod.spec.init_containers) if c.name == container), "")


def _container(status: ContainerStatus, pod: Pod) -> dict[str, Any]:
    """Return a container as it is kept: its present run, the one before it, and what it asks for."""
    asked = next((each.resources for each in pod.spec.containers if each.name == status.name), ResourceAmounts())
    return {
        "name": _text(status.name, 63),
        "image": _text(status.image, 300),
        "image_digest": _text(status.image_id, 300),
        "restarts": _small(status.restart_count),
        "ready": status.ready,
        **_run(status.state),
        "previous": _run(status.last_state) if status.last_state.terminated else None,
        "requests": _amounts(asked.requests),
        "limits": _amounts(asked.limits),
    }


def _run(state: ContainerState) -> dict[str, Any]:
    ended, begun = state.terminated, state.running or state.terminated
    said = state.terminated or state.waiting
    return {
        "state": _state_word(state),
        "reason": _text(said.reason if said else "", 100),
        "message": _text(said.message if said else ""),
        "exit_code": _small(ended.exit_code) if ended else None,
        "signal": _small(ended.signal) if ended and ended.signal else None,
        "started_at": _iso(begun.started_at) if begun else None,
        "ended_at": _iso(ended.finished_at) if ended else None,
    }


def _amounts(stated: Mapping[str, str]) -> dict[str, str]:
    return {_text(name, 100): _text(stated[name], 32) for name in sorted(stated)[:_MOST_RESOURCES]}


def _state_word(state: ContainerState) -> str:
    if state.terminated is not None:
        return "terminated"
    return "running" if state.running is not None else "waiting"


def _started_at(main: ContainerStatus | None) -> datetime | None:
    if main is None:
        return None
    begun = main.state.running or main.state.terminated
    return _aware(begun.started_at) if begun else None


def _pod_ended_at(pod: Pod, phase: str, ended: TerminatedState | None) -> datetime | None:
    if phase not in ("Succeeded", "Failed"):
        return None
    if ended is not None and ended.finished_at is not None:
        return _aware(ended.finished_at)
    moments = [_aware(c.last_transition_time) for c in pod.status.conditions if c.last_transition_time]
    return max((moment for moment in moments if moment), default=None)


def _true_since(pod: Pod, kind: str) -> datetime | None:
    said = next((c for c in pod.status.conditions if c.type == kind and c.status == "True"), None)
    return _aware(said.last_transition_time) if said else None


def _condition(job: Job | None, kind: str) -> Condition | None:
    conditions: Iterable[Condition] = job.status.conditions if job else ()
    return next((c for c in conditions if c.type == kind and c.status == "True"), None)


def _index(pod: Pod) -> int:
    stated = pod.metadata.annotations.get("batch.kubernetes.io/job-completion-index", "0")
    return _small(int(stated)) if stated.isascii() and stated.isdecimal() and len(stated) < 10 else 0


def _said(word: str | None, message: str | None) -> dict[str, Any]:
    """Return the cluster's own words, cut to a length that a row can hold."""
    return {key: text for key, text in (("word", _text(word, 100)), ("message", _text(message))) if text}


def _text(value: str | None, most_chars: int = MAX_TEXT_CHARS) -> str:
    return (value or "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:most_chars]


def _small(number: int) -> int:
    return max(-_INT32_MAX, min(_INT32_MAX, number))


def _aware(moment: datetime | None) -> datetime | None:
    """Return a moment with its zone; None also for 1970, which is how a runtime writes a moment that never was."""
    if moment is None or moment.year <= _EPOCH.year:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _iso(moment: datetime | None) -> str | None:
    aware = _aware(moment)
    return aware.isoformat() if aware is not None else None
