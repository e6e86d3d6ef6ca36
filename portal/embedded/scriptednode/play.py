"""Where a scripted pod stands at a moment: a function of its script, its start and what was asked of it. Pure.

Nothing is kept between two looks, so a process that starts anew goes on where the time has got to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from portal.embedded.kubelet.podstatus import (
    CREATING,
    EPOCH,
    ContainerRecord,
    ContainerState,
    PodRecord,
    Running,
    Terminated,
    Waiting,
)
from portal.embedded.kubelet.restarts import back_off_s, has_to_restart
from portal.embedded.scriptednode.script import Script

_KILLED, _ASKED = 137, 143
_DEADLINE = "Pod was active on the node longer than the specified deadline"
_EVICTED = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 0."
_NOT_FOUND = "The container could not be located when the pod was terminated"
# A container that ends at once and is restarted for ever would be counted through at each look; later runs wait anyway.
_MOST_RUNS = 10_000
_LEAST_PAUSE_S = 0.001


@dataclass(frozen=True)
class Part:
    """What is fixed of a pod's play. Times in seconds since 1970; `cut_at`: when it is stopped, and how it then ends.

    `trouble` says why a pod only waits.
    """

    script: Script
    policy: str
    begun: float
    cut_at: float | None = None
    cut_code: int = _KILLED
    reason: str = ""
    message: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Run:
    """One run of the containers; `ended` is None while it goes on. Times in seconds since 1970."""

    started: float
    ended: float | None


@dataclass(frozen=True)
class Scene:
    """How the pod stands. `due`: when it next changes by itself; `run`, `earlier`: whose logs there are."""

    state: ContainerState
    last: Terminated | None = None
    restarts: int = 0
    run: Run | None = None
    earlier: Run | None = None
    due: float | None = None
    is_over: bool = False
    phase: str = ""
    reason: str = ""
    message: str = ""
    disruption: str = ""


def part_of(pod: Mapping[str, Any], script: Script, *, begun: float, trouble: str = "") -> Part:
    """Return the part of a pod that its node took at `begun`; a deletion or the deadline cuts it short."""
    spec, metadata = pod["spec"], pod["metadata"]
    part = Part(script=script, policy=str(spec.get("restartPolicy", "Always")), begun=begun, trouble=trouble)
    cuts = []
    if limit_s := spec.get("activeDeadlineSeconds"):
        cuts.append((begun + limit_s, _KILLED, "DeadlineExceeded", _DEADLINE))
    if deleted := metadata.get("deletionTimestamp"):
        grace_s = float(metadata.get("deletionGracePeriodSeconds") or 0)
        asked_at = datetime.fromisoformat(deleted).timestamp() - grace_s
        obeys = script.stop_s < grace_s
        cuts.append((asked_at + min(script.stop_s, grace_s), _ASKED if obeys else _KILLED, "", ""))
    if not cuts:
        return part
    at, code, reason, message = min(cuts)
    return replace(part, cut_at=at, cut_code=code, reason=reason, message=message)


def scene(part: Part, now: float) -> Scene:
    """Return how the pod stands at a moment."""
    is_cut = part.cut_at is not None and now >= part.cut_at
    until = part.cut_at if is_cut and part.cut_at is not None else now
    found = _uncut(part, until)
    if is_cut and not found.is_over:
        return _cut(found, part, until)
    if part.cut_at is not None and not found.is_over:
        due = part.cut_at if found.due is None else min(found.due, part.cut_at)
        return replace(found, due=due)
    return found


def record_of(pod: Mapping[str, Any], seen: Scene, *, begun: float) -> PodRecord:
    """Return what the node says of the pod; its first containers ended well before the others began."""
    started = _moment(begun)
    first = Terminated(0, "Completed", started, started)
    return PodRecord(
        containers=[
            ContainerRecord(
                name=each["name"],
                image=each["image"],
                state=seen.state,
                last=seen.last,
                restarts=seen.restarts,
                image_id="" if seen.run is None else each["image"],
                container_id="" if seen.run is None else f"scripted://{pod['metadata']['uid']}/{each['name']}",
            )
            for each in pod["spec"]["containers"]
        ],
        init=[
            ContainerRecord(name=each["name"], image=each["image"], state=first)
            for each in pod["spec"].get("initContainers") or []
        ],
        start_time=started,
        phase=seen.phase,
        reason=seen.reason,
        message=seen.message,
        disruption=seen.disruption,
    )


def _uncut(part: Part, now: float) -> Scene:
    script = part.script
    if script.waits:
        return Scene(Waiting(script.waits, part.trouble or "the script says so"))
    due, state = part.begun + script.start_s, CREATING
    last: Terminated | None = None
    run: Run | None = None
    earlier: Run | None = None
    for restarts in range(_MOST_RUNS):
        if now < due:
            # Until it is started again a container carries the number of the run that ended.
            return Scene(state, last=last, restarts=max(0, restarts - 1), run=run, earlier=earlier, due=due)
        started = due
        ends = None if script.end == "never" else started + script.run_s
        if ends is None or now < ends:
            return Scene(Running(_moment(started)), last, restarts, Run(started, None), run, ends)
        ended = _terminated(script, started, ends)
        run, earlier = Run(started, ends), run
        if script.end == "evicted":
            disruption = "TerminationByKubelet"
            return Scene(ended, last, restarts, run, earlier, None, True, "Failed", "Evicted", _EVICTED, disruption)
        if not has_to_restart(ContainerRecord("", "", state=ended), part.policy):
            return Scene(ended, last, restarts, run, earlier, is_over=True)
        pause_s = max(back_off_s(restarts + 1), _LEAST_PAUSE_S)
        due, last = ends + pause_s, ended
        state = Waiting("CrashLoopBackOff", f"back-off {pause_s:.0f}s restarting failed container")
    return Scene(state, last=last, restarts=_MOST_RUNS, run=run, earlier=earlier)


def _terminated(script: Script, started: float, ended: float) -> Terminated:
    if script.end == "oom":
        code, reason = _KILLED, "OOMKilled"
    elif script.end == "evicted":
        code, reason = _KILLED, "Error"
    else:
        code, reason = script.exit_code, "Error" if script.exit_code else "Completed"
    return Terminated(code, reason, _moment(started), _moment(ended))


def _cut(found: Scene, part: Part, at: float) -> Scene:
    """Return the end of a pod that was stopped; what only waited then has never done what it was for."""
    run = found.run
    if isinstance(found.state, Running) and run is not None:
        ended = Terminated(part.cut_code, "Error", _moment(run.started), _moment(at))
        run = Run(run.started, at)
    else:
        ended = Terminated(_KILLED, "ContainerStatusUnknown", EPOCH, _moment(at), _NOT_FOUND)
    return Scene(
        ended, found.last, found.restarts, run, found.earlier, None, True, "Failed", part.reason, part.message
    )  # fmt: skip


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
