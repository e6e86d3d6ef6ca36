"""What a spec asks of resource types beyond the built-in ones: looked up once, when it is submitted or judged."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db.models import Q

from tenants import kubenames
from tenants.models import QuotaLine, ResourceType
from tenants.specs import BUILT_IN, Amounts
from workloads import specs
from workloads.asks import Words
from workloads.specs import Extra, Problem, Resources

_WORDS = ("label", "label_zh", "unit")


@dataclass(frozen=True, slots=True)
class Extras:
    """What is asked by key, what is wrong with it, and the largest amounts of one pod."""

    by_key: Mapping[str, Extra] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    per_pod: Amounts = field(default_factory=dict)

    @property
    def words(self) -> Words:
        """What sentences say of each."""
        return words_of(self.rows)

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """What a workload's row keeps."""
        return {key: msgspec.to_builtins(found) for key, found in self.by_key.items()}


def extras_of(resources: Resources) -> Extras:
    """Look up the types that a spec asks for beyond the built-in ones, and what a pod may have. One statement."""
    types = {found.key: found for found in ResourceType.objects.filter(_wanted(resources))}
    by_key, problems = {}, []
    for key, amount in resources.extra.items():
        found, at = types.get(key), specs.extra_field(key)
        if found is None or key in BUILT_IN or found.gpu_product:
            problems.append(Problem(at, "unknown_resource", {"name": key}))
            continue
        by_key[key] = _extra(found, amount)
        step = kubenames.step_of(found.kube_name)
        if amount % step:
            problems.append(Problem(at, "not_in_steps", {"step": step}))
    for rank, key in enumerate(resources.gpu_models):
        found = types.get(key)
        if found is None or not found.gpu_product:
            problems.append(Problem("gpu_models", "unknown_model", {"name": key}))
            continue
        by_key[key] = msgspec.structs.replace(_extra(found, resources.gpus), product=found.gpu_product, rank=rank)
    per_pod = {key: found.largest_per_pod for key, found in types.items() if found.largest_per_pod is not None}
    return Extras(by_key, tuple(problems), per_pod)


def types_offered(lines: Iterable[QuotaLine], keys: Collection[str] = ()) -> list[ResourceType]:
    """Return the types beyond the built-in ones that a form asks for, classes of GPUs among them: those of which a
    tenant may hold any, and those of these keys, so that what a form is filled from is not lost. No statement, or one
    for keys without a line.
    """
    of_lines = {line.type.key: line.type for line in lines if line.line.bounds.most or line.type.key in keys}
    missing = [key for key in keys if key not in of_lines]
    found = [*of_lines.values(), *(ResourceType.objects.filter(key__in=missing) if missing else ())]
    return [found for found in found if found.key not in BUILT_IN]


def keys_in(names: Iterable[str]) -> list[str]:
    """Return the keys of the resource types that a form's names have fields of."""
    return [name.removeprefix(specs.EXTRA_FIELD) for name in names if name.startswith(specs.EXTRA_FIELD)][
        : specs.MAX_EXTRA
    ]


def words_of(rows: Mapping[str, Mapping[str, Any]]) -> Words:
    """Return the words of what a workload's row keeps."""
    return {key: {name: str(row[name]) for name in _WORDS} for key, row in rows.items()}


def _wanted(resources: Resources) -> Q:
    return Q(key__in=[*resources.extra, *resources.gpu_models]) | Q(key__in=BUILT_IN, largest_per_pod__isnull=False)


def _extra(found: ResourceType, amount: int) -> Extra:
    return Extra(
        amount=amount, kube_name=found.kube_name, unit=found.unit, label=found.label_en, label_zh=found.label_zh
    )
