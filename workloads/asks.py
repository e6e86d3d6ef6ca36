"""What pods ask for by resource type, and which amounts can never be had. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tenants.specs import CPU, GPUS, MEMORY, PODS, Amounts
from workloads.specs import Problem, Resources, extra_field

# What sentences say of a resource type that is not built in, by key: `label`, `label_zh`, `unit`.
Words = Mapping[str, Mapping[str, str]]

SIZE_FIELDS = ("cpu_millicores", "memory_mib", "gpus")
_NOTHING: Amounts = {}
_NO_WORDS: Words = {}
_NO_EXTRA: Mapping[str, Mapping[str, Any]] = {}

# Columns of a workload's row that say what each of its pods asks for; `asked_by` takes them in this order.
ASKED_COLUMNS = ("cpu_millicores", "memory_mib", "gpus", "extra")


def asked_by(
    cpu_millicores: int,
    memory_mib: int,
    gpus: int,
    extra: Mapping[str, Mapping[str, Any]] = _NO_EXTRA,
    *,
    pods: int = 1,
) -> dict[str, int]:
    """Return what pods of these sizes ask for together, by resource type; what is not asked for is not in it, nor are
    classes of GPUs, of which one is chosen at admission.
    """
    others = {key: one["amount"] for key, one in extra.items() if not one.get("product")}
    each = {CPU: cpu_millicores, MEMORY: memory_mib, GPUS: gpus, **others}
    return {**{key: amount * pods for key, amount in each.items() if amount}, PODS: pods}


def classes_in(extra: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the classes of GPUs that will do, the preferred one first; empty where any GPU will."""
    found = [key for key, one in extra.items() if one.get("product")]
    return tuple(sorted(found, key=lambda key: extra[key]["rank"]))


def asked_in(resources: Resources) -> dict[str, int]:
    """Return what a spec asks for, by resource type."""
    extra = {key: {"amount": amount} for key, amount in resources.extra.items()}
    return asked_by(resources.cpu_millicores, resources.memory_mib, resources.gpus, extra)


def size_problems(
    resources: Resources,
    tenant: Amounts,
    nodes: Sequence[Amounts],
    *,
    per_pod: Amounts = _NOTHING,
    words: Words = _NO_WORDS,
) -> list[Problem]:
    """Return the resources that can never be had: above the tenant's whole quota, what a pod may have of the type, or
    above every known node. `words` are those of types beyond the built-in ones.

    Without a known node only the tenant counts: what the cluster will offer is not known yet.
    """
    problems = []
    for name, asked in [*((name, getattr(resources, name)) for name in SIZE_FIELDS), *resources.extra.items()]:
        largest = max((node.get(name, 0) for node in nodes), default=asked)
        bounds = {
            "above_tenant": tenant.get(name, 0),
            "above_pod": per_pod.get(name, asked),
            "above_nodes": largest,
        }
        field = name if name in SIZE_FIELDS else extra_field(name)
        known = {"asked": asked, **({"resource": name, **words[name]} if name in words else {})}
        above = next(
            (Problem(field, code, {**known, "limit": most}) for code, most in bounds.items() if asked > most), None
        )
        problems += [above] if above else []
    return problems


def class_problems(
    resources: Resources, tenant: Amounts, nodes: Sequence[Amounts], *, words: Words = _NO_WORDS
) -> list[Problem]:
    """Return why none of the classes of GPUs that will do can ever be had, each bounded as `size_problems` does it."""
    found = []
    for key in resources.gpu_models:
        one = Resources(cpu_millicores=0, memory_mib=0, extra={key: resources.gpus})
        problems = size_problems(one, tenant, nodes, words=words)
        if not problems:
            return []
        found += problems
    return [dataclasses.replace(found[0], field="gpu_models")] if found else []
