"""Reads of nodes for who plans what runs on them."""

from gpu.models import Node
from tenants.specs import CPU, GPUS, MEMORY, PODS

COLUMNS = {CPU: "cpu_millicores", MEMORY: "memory_mib", GPUS: "gpus", PODS: "pods"}


def node_offers() -> list[tuple[dict[str, int], bool]]:
    """Return what each node offers in all by resource type, and whether it takes work now. One statement."""
    rows = Node.objects.values_list(*COLUMNS.values(), "ready", "unschedulable")
    return [(dict(zip(COLUMNS, row, strict=False)), row[-2] and not row[-1]) for row in rows]
