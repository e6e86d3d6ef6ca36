"""What the node watch saw, as rows: upserted in batches, removed with their node. Never asks the cluster itself."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db.models import Q
from django.utils import timezone

from gpu.models import Node
from portal.kube import types
from portal.kube.quantity import parse_quantity
from tenants import kubenames
from tenants.specs import FACTORS

GPU_RESOURCE = kubenames.GPU
PRODUCT_LABEL = "nvidia.com/gpu.product"
_MIB = 1024 * 1024
_INT64_MAX = 2**63 - 1
_INT32_MAX = 2**31 - 1
_MAX_LABELS = 200
_MAX_RESOURCES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRow:
    """A node as its row holds it; two equal ones need no write."""

    name: str
    uid: str
    ready: bool
    unschedulable: bool
    cpu_millicores: int
    memory_mib: int
    pods: int
    gpus: int
    extended: dict[str, int]
    gpu_product: str
    runtime_version: str
    kubelet_version: str
    labels: dict[str, str]
    taints: list[dict[str, str]]
    resource_version: str = field(default="", compare=False)


def node_row(node: types.Node) -> NodeRow:
    """Return a node as a row. Odd amounts count as nothing."""
    allocatable = node.status.allocatable
    node_labels = {_text(k, 317): _text(v, 63) for k, v in list(node.metadata.labels.items())[:_MAX_LABELS]}
    return NodeRow(
        name=_text(node.metadata.name, 253),
        uid=_text(node.metadata.uid, 64),
        ready=any(c.type == "Ready" and c.status == "True" for c in node.status.conditions),
        unschedulable=node.spec.unschedulable,
        cpu_millicores=_amount(allocatable.get("cpu"), Decimal(1000), _INT64_MAX),
        memory_mib=_amount(allocatable.get("memory"), Decimal(1) / _MIB, _INT64_MAX),
        pods=_amount(allocatable.get("pods"), Decimal(1), _INT32_MAX),
        gpus=_amount(allocatable.get(GPU_RESOURCE), Decimal(1), _INT32_MAX),
        extended=_extended(allocatable),
        gpu_product=_text(node_labels.get(PRODUCT_LABEL), 120),
        runtime_version=_text(node.status.node_info.container_runtime_version, 120),
        kubelet_version=_text(node.status.node_info.kubelet_version, 60),
        labels=node_labels,
        taints=[
            {"key": _text(taint.key, 317), "value": _text(taint.value, 63), "effect": _text(taint.effect, 20)}
            for taint in node.spec.taints[:_MAX_LABELS]
        ],
        resource_version=_text(node.metadata.resource_version, 64),
    )


def _extended(allocatable: Mapping[str, str]) -> dict[str, int]:
    """Return what else pods can ask of a node: huge pages and scratch space in MiB, all else in pieces."""
    found: dict[str, int] = {}
    for name, text in list(allocatable.items())[:_MAX_RESOURCES]:
        if kubenames.nameable(name) and name != GPU_RESOURCE:
            amount = _amount(text, FACTORS[kubenames.unit_of(name)], _INT64_MAX)
            found |= {name: amount} if amount else {}
    return found


def nodes_write(rows: Sequence[NodeRow]) -> None:
    """Insert or update these nodes by name; one statement, in the caller's transaction."""
    if not rows:
        return
    now = timezone.now()
    Node.objects.bulk_create(
        [Node(id=uuid4(), seen_at=now, **_columns(row)) for row in rows],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=[*(name for name in _columns(rows[0]) if name != "name"), "seen_at"],
    )


def nodes_keep(names: Collection[str]) -> int:
    """Remove the rows of all nodes but these; return how many went. In the caller's transaction."""
    removed, _by_model = Node.objects.filter(~Q(name__in=names)).delete()
    return removed


def _columns(row: NodeRow) -> dict[str, Any]:
    return asdict(row)


def _amount(text: str | None, factor: Decimal, most: int) -> int:
    """Return a quantity in our unit, rounded down: what is only partly there cannot be asked for."""
    try:
        found = parse_quantity(text or "0") * factor
    except ValueError:
        return 0
    return max(0, min(most, int(found)))


def _text(value: str | None, most_chars: int) -> str:
    return (value or "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:most_chars]
