"""What pages show of a workload: its reason in words, its command as typed in a shell. Reads no table."""

import io
import shlex
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from tenants.specs import uid_range_start
from workloads import explain, kinds
from workloads.asks import classes_in
from workloads.kinds import BuildContext
from workloads.models import Attempt, Pod, Workload, WorkloadEvent
from workloads.specs import Extra, Reason, State, spec_of
from workloads.timeline import span_text

_ACT_ON = {
    Reason.TOO_LARGE,
    Reason.UNSCHEDULABLE,
    Reason.IMAGE_PULL_FAILED,
    Reason.REFUSED_RETRYING,
    Reason.FOREIGN_OBJECT,
}


T = TypeVar("T", Workload, Attempt, Pod, WorkloadEvent)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """An item with its reason in the reader's words and how much it matters ("", "is-warn" or "is-bad")."""

    item: T
    reason: str
    tone: str

    @property
    def extras(self) -> list[str]:
        """What a workload asks of resource types beyond the built-in ones: "2 × FPGA U250"."""
        rows: Mapping[str, Mapping[str, Any]] = getattr(self.item, "extra", {})
        return [explain.Facts(row).amount("amount") for row in rows.values() if not row.get("product")]

    @property
    def models(self) -> list[str]:
        """The classes of GPUs that will do for a workload; empty where any will."""
        rows: Mapping[str, Mapping[str, Any]] = getattr(self.item, "extra", {})
        return [explain.Facts(rows[key]).resource for key in classes_in(rows)]

    @property
    def ran_text(self) -> str:
        """How long it ran; "–" where it never did."""
        started, ended = getattr(self.item, "started_at", None), getattr(self.item, "ended_at", None)
        return span_text(started, ended) if started else "–"


def told(item: T) -> Told[T]:
    """Return an item with its reason in words."""
    ended = getattr(item, "end_state", getattr(item, "phase", "").lower())
    failed = getattr(item, "state", ended) == State.FAILED
    tone = "is-bad" if failed else "is-warn" if item.reason_code in _ACT_ON else ""
    return Told(item, explain.reason_text(item.reason_code, item.reason_params), tone)


def must_act(workload: Workload) -> bool:
    """Tell whether somebody must do something before it can go on."""
    return workload.reason_code in _ACT_ON


def told_all(items: Iterable[T]) -> list[Told[T]]:
    """Return items with their reasons in words."""
    return [told(item) for item in items]


def command_text(spec: Mapping[str, Any]) -> str:
    """Return what a spec runs as one would type it in a shell; "" where the image decides."""
    words = [*(spec.get("command") or [])]
    if spec.get("script"):
        words = [*(words or ["python3"]), "/workspace/.berth/script"]
    return shlex.join([*words, *(spec.get("args") or [])])


def manifests_yaml(workload: Workload, attempt: Attempt | None, installation_id: uuid.UUID) -> str:
    """Return the objects of an attempt as YAML; of a workload without one, those of its first as far as known."""
    n, classes = attempt.n if attempt else 1, classes_in(workload.extra)
    context = BuildContext(
        installation_id=installation_id,
        tenant_id=workload.tenant_id,
        workload_id=workload.pk,
        attempt_id=attempt.pk if attempt else uuid.UUID(int=0),
        attempt_n=n,
        namespace=workload.tenant.namespace,
        object_name=attempt.object_name if attempt else f"{workload.kube_name}-{n}",
        spec=spec_of(workload.spec),
        spec_digest=workload.spec_digest,
        uid_range_start=uid_range_start(workload.tenant_id),
        extra=msgspec.convert(workload.extra, dict[str, Extra]),
        gpu_class=next((key for key in classes if attempt is None or key in attempt.holds), ""),
    )
    yaml, text = YAML(), io.StringIO()
    yaml.default_flow_style = False
    yaml.dump_all([_readable(manifest) for manifest in kinds.build(context)], text)
    return text.getvalue()


def _readable(value: Any) -> Any:
    """Return the value with texts of several lines as YAML's literal blocks."""
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return LiteralScalarString(value) if isinstance(value, str) and "\n" in value else value
