"""Reads of nodes for who plans what runs on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Sum

from gpu.models import Node
from tenants.specs import CPU, GPUS, MEMORY, PODS

COLUMNS = {CPU: "cpu_millicores", MEMORY: "memory_mib", GPUS: "gpus", PODS: "pods"}


_MORE = ("extended", "gpu_product")
_NO_NAMES: Mapping[str, str] = {}


def node_offers(
    names: Mapping[str, str] = _NO_NAMES, products: Mapping[str, str] = _NO_NAMES
) -> list[tuple[dict[str, int], bool]]:
    """Return what each node offers in all by resource type, and whether it takes work now. One statement.

    `names` are Kubernetes' names of the types beyond the built-in ones that are wanted, by key; `products` those of the
    classes of GPUs.
    """
    rows = Node.objects.values_list(*COLUMNS.values(), *_MORE, "ready", "unschedulable")
    return [(_offers(row, names, products), row[-2] and not row[-1]) for row in rows]


@dataclass(frozen=True, slots=True)
class Offered:
    """A resource beyond the built-in ones, or a model of GPUs: on how many nodes, and how much in all."""

    kube_name: str
    nodes: int
    amount: int


def extended_resources() -> list[Offered]:
    """Return all that nodes offer beyond the built-in types, by name. One statement."""
    found: dict[str, list[int]] = {}
    for extended in Node.objects.exclude(extended={}).values_list("extended", flat=True):
        for kube_name, amount in extended.items():
            found.setdefault(kube_name, []).append(amount)
    return [Offered(name, len(amounts), sum(amounts)) for name, amounts in sorted(found.items())]


def gpu_products() -> list[Offered]:
    """Return the models of GPUs that nodes offer, by the value of their label. One statement."""
    found = Node.objects.exclude(gpu_product="").values_list("gpu_product").annotate(Count("pk"), Sum("gpus"))
    return [Offered(*row) for row in found.order_by("gpu_product")]


def _offers(row: Sequence[Any], names: Mapping[str, str], products: Mapping[str, str]) -> dict[str, int]:
    offers: dict[str, int] = dict(zip(COLUMNS, row, strict=False))
    extended, product = row[len(COLUMNS) : len(COLUMNS) + len(_MORE)]
    offers |= {key: extended.get(kube_name, 0) for key, kube_name in names.items()}
    return offers | {key: offers[GPUS] if product == wanted else 0 for key, wanted in products.items()}
