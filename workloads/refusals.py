"""What a refusal by the cluster means: whether it can pass by itself, and its numbers for people. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portal.kube.errors import BadRequest, Forbidden, Invalid, KubeError, Shortage, parse_quota_message
from tenants import kubenames
from tenants.specs import FACTORS, Unit

MAX_MESSAGE_CHARS = 500
_MIB = 1024 * 1024
# Kubernetes' names of what a quota counts → ours, with the factor from its base unit.
_AMOUNTS = {
    "requests.cpu": ("cpu_millicores", Decimal(1000)),
    "cpu": ("cpu_millicores", Decimal(1000)),
    "requests.memory": ("memory_mib", Decimal(1) / _MIB),
    "limits.memory": ("memory_mib", Decimal(1) / _MIB),
    "memory": ("memory_mib", Decimal(1) / _MIB),
    "pods": ("pods", Decimal(1)),
    "requests.nvidia.com/gpu": ("gpus", Decimal(1)),
}
# What a workload's row keeps of resource types beyond the built-in ones, by key.
Extras = Mapping[str, Mapping[str, Any]]
_NO_EXTRAS: Extras = {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether trying again can help, and the parameters of the reason."""

    retryable: bool
    params: dict[str, Any]


def verdict(error: KubeError, extra: Extras = _NO_EXTRAS) -> Verdict:
    """Judge an error of a create: refusals of what was asked are final, everything else may pass.

    A missing right (RBAC) passes once the namespace is complete; a full quota passes when other work ends. `extra` is
    what the workload's row keeps of resource types.
    """
    params = refusal_params(error.message, extra)
    if isinstance(error, Invalid | BadRequest):
        return Verdict(False, params)
    if isinstance(error, Forbidden):
        passing = error.quota is not None or error.namespace_terminating or _lacks_right(error.message)
        return Verdict(passing, params)
    return Verdict(True, params)


def pod_verdict(message: str, extra: Extras = _NO_EXTRAS) -> Verdict:
    """Judge what the Job controller says when it cannot make a pod; it tries again by itself, with pauses."""
    final = "violates PodSecurity" in message or "denied the request" in message or " is invalid: " in message
    return Verdict(not final, refusal_params(message, extra))


def refusal_params(message: str, extra: Extras = _NO_EXTRAS) -> dict[str, Any]:
    """Return a refusal's parameters: the message, and resource, asked, held and limit where a quota names numbers."""
    params: dict[str, Any] = {"message": message[:MAX_MESSAGE_CHARS]}
    quota = parse_quota_message(message)
    return params | _numbers(quota.shortages, extra) if quota is not None else params


def _numbers(shortages: Sequence[Shortage], extra: Extras) -> dict[str, Any]:
    """Return the numbers of one resource that is short, rather one that people set limits for."""
    asked_for = {kubenames.quota_key_of(row["kube_name"]): (key, row) for key, row in extra.items()}
    amounts = _AMOUNTS | {name: (key, FACTORS[Unit(row["unit"])]) for name, (key, row) in asked_for.items()}
    for shortage in sorted(shortages, key=lambda shortage: shortage.resource not in amounts):
        name, factor = amounts.get(shortage.resource, (shortage.resource[:100], Decimal(1)))
        words = {word: extra[name][word] for word in ("label", "label_zh", "unit")} if name in extra else {}
        if shortage.used + shortage.requested > shortage.limited:
            asked, held, limit = shortage.requested, shortage.used, shortage.limited
            return {
                "resource": name,
                **words,
                "asked": round(asked * factor),
                "held": round(held * factor),
                "limit": round(limit * factor),
            }
    return {}


def _lacks_right(message: str) -> bool:
    return ' cannot create resource "' in message
