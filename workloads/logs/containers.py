"""Which container runs there are to read, from the rows that the controller writes. Reads only; the rest is pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from portal.core.leases import Held
from tenants.specs import namespace_of
from workloads.models import LogSource, Pod, Workload
from workloads.specs import TERMINAL

_ENDED_PHASES = frozenset({"Succeeded", "Failed"})
MAX_RESTARTS_READ = 50
"""Of a container that restarts without end, only the latest runs are asked for; earlier ones are gone anyway."""


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """One run of a container."""

    pod_uid: UUID
    container: str
    restart: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run and what is known of it now. `ended`: it writes no more, since `ended_s` (of 1970) where that is known."""

    key: RunKey
    workload_id: UUID
    attempt_id: UUID
    attempt_n: int
    namespace: str
    pod: str
    label: str
    restarts: int
    ended: bool
    ended_s: float | None = None

    @property
    def is_current(self) -> bool:
        """Tell whether the kubelet's log of the container is that of this run."""
        return self.key.restart == self.restarts

    @property
    def is_readable(self) -> bool:
        """Tell whether the kubelet still has this run's log: the present one and the one before."""
        return self.key.restart >= self.restarts - 1


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a collector has to do: runs to read, and workloads whose log is complete."""

    runs: dict[RunKey, Run]
    complete: frozenset[UUID]


class PodRow(NamedTuple):
    """What of a pod's row decides; plain columns, since there may be thousands of pods at each look."""

    uid: UUID
    name: str
    position: int
    phase: str
    gone: bool
    containers: list[dict[str, Any]]
    attempt_id: UUID
    attempt_n: int
    workload_id: UUID
    slug: str


def survey(held: Held) -> Survey:
    """Look at the pods of the workloads that are ours. Three statements."""
    rows = Pod.objects.filter(attempt__workload__log_collector=held.holder, attempt__workload__log_sealed=False)
    columns = ("uid", "name", "index", "phase", "gone", "containers")
    owners = ("attempt_id", "attempt__n", "attempt__workload_id", "attempt__tenant__slug")
    pods = [PodRow(*row) for row in rows.values_list(*columns, *owners)]
    sources = LogSource.objects.filter(
        attempt__workload__log_collector=held.holder, attempt__workload__log_sealed=False, done=True
    )
    done = {RunKey(*row) for row in sources.values_list("pod_uid", "container", "restart")}
    runs = {run.key: run for pod in pods for run in runs_of(pod)}
    ended = ended_workloads(held)
    unfinished = {run.workload_id for key, run in runs.items() if key not in done}
    unfinished |= {pod.workload_id for pod in pods if not is_over(pod)}
    return Survey(
        runs={key: run for key, run in runs.items() if key not in done},
        complete=frozenset(ended - unfinished),
    )


def ended_workloads(held: Held) -> set[UUID]:
    """Return our unsealed workloads that are in a final state."""
    rows = Workload.objects.filter(log_collector=held.holder, log_sealed=False, state__in=TERMINAL)
    return set(rows.values_list("pk", flat=True))


def is_over(pod: PodRow) -> bool:
    """Tell whether nothing of the pod runs any more."""
    return pod.gone or pod.phase in _ENDED_PHASES


def runs_of(pod: PodRow) -> Iterable[Run]:
    """Return a pod's container runs that have begun, earlier ones included."""
    for container in pod.containers:
        yield from _runs(pod, container)


def _runs(pod: PodRow, container: Mapping[str, Any]) -> Iterable[Run]:
    restarts = int(container.get("restarts") or 0)
    state = container.get("state", "waiting")
    # A container that waits to be started again still carries the number of the run that ended.
    has_begun = state != "waiting" or restarts > 0 or container.get("reason") == "CrashLoopBackOff"
    newest = restarts if has_begun else -1
    for restart in range(max(0, newest - MAX_RESTARTS_READ + 1), newest + 1):
        yield Run(
            key=RunKey(pod.uid, str(container["name"]), restart),
            workload_id=pod.workload_id,
            attempt_id=pod.attempt_id,
            attempt_n=pod.attempt_n,
            namespace=namespace_of(pod.slug),
            pod=pod.name,
            label=f"r{pod.position}",
            restarts=restarts,
            ended=restart < restarts or state != "running" or is_over(pod),
            ended_s=_ended_s(container) if restart == restarts else None,
        )


def _ended_s(container: Mapping[str, Any]) -> float | None:
    told = container.get("ended_at")
    return datetime.fromisoformat(told).timestamp() if told else None
