"""Rows as JSON-like data, by hand: a list of 200 costs little beyond its SQL. Reads no table."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from portal.core.loggaps import gap_text
from portal.live.payloads import CONTINUATION, GAP, NOTE, Line
from tenants.specs import Priority
from workloads import explain
from workloads.asks import classes_in
from workloads.compare import Difference, outcome_of
from workloads.explain import Explanation
from workloads.logs import retention
from workloads.models import Attempt, ClusterEvent, Pod, Workload, WorkloadEvent

Told = dict[str, Any]
_KINDS = {CONTINUATION: "continuation", NOTE: "note"}


def row_told(workload: Workload) -> Told:
    """Return a workload as a list shows it; its tenant and owner must be loaded."""
    return {
        "id": str(workload.pk),
        "tenant": workload.tenant.slug,
        "name": workload.name,
        "kind": workload.kind,
        "owner": workload.owner.username,
        "image": workload.image,
        "state": workload.state,
        **_reason(workload),
        "created": stamp(workload.created),
        "started_at": stamp(workload.started_at),
        "ended_at": stamp(workload.ended_at),
        "exit_code": workload.exit_code,
        "priority": workload.priority.value,
        "resources": _sizes(
            workload.cpu_millicores,
            workload.memory_mib,
            workload.gpus,
            _amounts(workload.extra),
            classes_in(workload.extra),
        ),
    }


def workload_told(workload: Workload, attempts: Sequence[Attempt], pods: Sequence[Pod], parent: Any) -> Told:
    """Return a workload with its runs (newest first), its pods, and its parent's id where that may be seen."""
    return {
        **row_told(workload),
        "spec": spec_told(workload.spec),
        "parent": str(parent) if parent else None,
        "attempts": [attempt_told(attempt) for attempt in attempts],
        "pods": [pod_told(pod) for pod in pods],
        "timeline": _timeline(workload, attempts),
        "log": {
            "last_seq": workload.readable_last_seq,
            "bytes": workload.log_bytes,
            "sealed": workload.log_sealed,
            "kept_until": stamp(retention.kept_until(workload)),
            "expired_at": stamp(workload.log_expired_at),
        },
    }


def spec_told(spec: Mapping[str, Any]) -> Told:
    """Return a stored spec in the shape in which one is submitted."""
    sizes = spec.get("resources") or {}
    return {
        "name": spec.get("name", ""),
        "kind": spec.get("kind", "job"),
        "image": spec.get("image", ""),
        "command": list(spec.get("command") or []),
        "args": list(spec.get("args") or []),
        "script": spec.get("script"),
        "env": dict(spec.get("env") or {}),
        "resources": _sizes(
            sizes.get("cpu_millicores", 0),
            sizes.get("memory_mib", 0),
            sizes.get("gpus", 0),
            sizes.get("extra") or {},
            sizes.get("gpu_models") or [],
        ),
        "max_runtime_s": spec.get("max_runtime_s"),
        "retries": spec.get("retries", 0),
        "priority": spec.get("priority", Priority.NORMAL.value),
        "template": spec.get("template", ""),
        "template_version": spec.get("template_version"),
    }


def attempt_told(attempt: Attempt) -> Told:
    """Return one run."""
    return {
        "n": attempt.n,
        "end_state": attempt.end_state or None,
        **_reason(attempt),
        "exit_code": attempt.exit_code,
        "node": attempt.node_name,
        "image_digest": attempt.image_digest,
        "created": stamp(attempt.created),
        "scheduled_at": stamp(attempt.scheduled_at),
        "started_at": stamp(attempt.started_at),
        "ended_at": stamp(attempt.ended_at),
    }


def pod_told(pod: Pod) -> Told:
    """Return a pod; its attempt must be loaded."""
    return {
        "id": str(pod.uid),
        "attempt": pod.attempt.n,
        "name": pod.name,
        "index": pod.index,
        "phase": pod.phase,
        **_reason(pod),
        "node": pod.node_name,
        "containers": pod.containers,
        "created": stamp(pod.created_at),
        "started_at": stamp(pod.started_at),
        "ended_at": stamp(pod.ended_at),
        "gone": pod.gone,
    }


def event_told(event: WorkloadEvent) -> Told:
    """Return an event; its actor must be loaded."""
    return {
        "id": event.pk,
        "time": stamp(event.time),
        "attempt": event.attempt_n,
        "state": event.state,
        **_reason(event),
        "actor": event.actor.username if event.actor else None,
    }


def cluster_event_told(event: ClusterEvent) -> Told:
    """Return what Kubernetes reported."""
    return {
        "id": event.pk,
        "attempt": event.attempt_n,
        "kind": event.kind,
        "name": event.name,
        "warning": event.warning,
        "reason": event.reason,
        "message": event.message,
        "source": event.source,
        "count": event.count,
        "first_seen": stamp(event.first_seen),
        "last_seen": stamp(event.last_seen),
    }


def explanation_told(card: Explanation | None) -> Told | None:
    """Return a card."""
    if card is None:
        return None
    return {
        "title": card.title,
        "sentence": card.sentence,
        "facts": [{"label": label, "value": value} for label, value in card.facts],
        "options": [{"title": option.title, "consequence": option.consequence} for option in card.options],
        "evidence": card.evidence,
    }


def diff_told(left: Workload, right: Workload, differences: Sequence[Difference]) -> Told:
    """Return two workloads side by side; differences are those of the shapes in which they are submitted."""
    return {
        "left": {"id": str(left.pk), **asdict(outcome_of(left))},
        "right": {"id": str(right.pk), **asdict(outcome_of(right))},
        "differences": [
            {"field": found.field, "change": found.change.value, "left": found.left, "right": found.right}
            for found in differences
        ],
    }


def line_told(line: Line) -> Told:
    """Return a line of a log."""
    return {
        "seq": line.seq,
        "time": _ns_stamp(line.time_ns),
        "attempt": line.attempt,
        "pod": line.pod,
        "container": line.container,
        "text": line.text,
        "kind": _KINDS.get(line.kind, "line"),
    }


def gap_told(line: Line) -> Told:
    """Return a marker of lost lines, in the caller's language."""
    text = gap_text(line.text, lambda time_ms: _ns_stamp(time_ms * 1_000_000))
    return {"seq": line.seq, "time": _ns_stamp(line.time_ns), "attempt": line.attempt, "pod": line.pod, "text": text}


def is_gap(line: Line) -> bool:
    """Tell whether a line only marks lost ones."""
    return line.kind == GAP


def stamp(moment: dt.datetime | None) -> str | None:
    """Return a moment as RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _ns_stamp(time_ns: int) -> str:
    moment = dt.datetime.fromtimestamp(time_ns // 1_000_000_000, tz=dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 1_000_000_000:09d}Z"


def _reason(item: Workload | Attempt | Pod | WorkloadEvent) -> Told:
    return {"reason_code": item.reason_code, "reason": explain.reason_text(item.reason_code, item.reason_params)}


def _sizes(cpu_millicores: int, memory_mib: int, gpus: int, extra: Mapping[str, int], models: Sequence[str]) -> Told:
    return {
        "cpu_millicores": cpu_millicores,
        "memory_mib": memory_mib,
        "gpu": {"count": gpus, "models": list(models)},
        "extra": dict(extra),
    }


def _amounts(extra: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {key: row["amount"] for key, row in extra.items() if not row.get("product")}


def _timeline(workload: Workload, attempts: Sequence[Attempt]) -> list[Told]:
    moments: list[tuple[str, int | None, dt.datetime | None]] = [("submitted", None, workload.created)]
    for attempt in reversed(attempts):
        moments += [
            ("admitted", attempt.n, attempt.created),
            ("scheduled", attempt.n, attempt.scheduled_at),
            ("started", attempt.n, attempt.started_at),
            ("ended", attempt.n, attempt.ended_at),
        ]
    if workload.ended_at and not any(attempt.ended_at == workload.ended_at for attempt in attempts):
        moments.append(("ended", None, workload.ended_at))
    return [{"step": step, "attempt": n, "time": stamp(moment)} for step, n, moment in moments if moment]
