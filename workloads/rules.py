"""A tenant's rules at submission: which priorities, how long at most, how many may wait (see `tenants.rules`)."""

import msgspec

from tenants.models import Tenant
from workloads.models import Workload
from workloads.specs import JobSpec, Problem, State


def rule_problems(tenant: Tenant, spec: JobSpec) -> list[Problem]:
    """Return what a tenant does not allow of a spec. No statement."""
    problems, most_s = [], tenant.max_runtime_s
    if spec.priority not in tenant.priorities:
        problems.append(Problem("priority", "priority_denied", {"name": ", ".join(tenant.priorities)}))
    if most_s is not None and (spec.max_runtime_s or 0) > most_s:
        problems.append(Problem("max_runtime_s", "above_runtime", {"limit": most_s}))
    return problems


def with_time_limit(tenant: Tenant, spec: JobSpec) -> JobSpec:
    """Return a spec that names no time limit with the longest that its tenant allows."""
    return spec if spec.max_runtime_s is not None else msgspec.structs.replace(spec, max_runtime_s=tenant.max_runtime_s)


def queue_problem(tenant: Tenant) -> Problem | None:
    """Return that no more of a tenant's work may wait; None while there is room. One statement, none without a bound.

    Of a tenant that is locked it stays true until the commit.
    """
    if tenant.max_waiting is None:
        return None
    waiting = Workload.objects.filter(tenant=tenant, state=State.QUEUED).count()
    full = waiting >= tenant.max_waiting
    return Problem("", "queue_full", {"count": waiting, "limit": tenant.max_waiting}) if full else None
