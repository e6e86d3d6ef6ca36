"""The start page: what needs its reader, their work, their limits, what the cluster has free. Only what is known."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from gpu.models import Node
from portal.core.models import User
from portal.core.policy import Action
from portal.core.routes import person, route
from portal.web.visits import last_visit
from tenants.gauges import Gauge, gauges_of
from tenants.models import Membership, Tenant
from tenants.roles import memberships_of
from tenants.specs import Limits
from tenants.usage import held_by
from workloads import presentation, selectors
from workloads.models import Workload
from workloads.presentation import Told
from workloads.specs import ACTIVE, State

ENDED_WITHIN = dt.timedelta(days=7)
FAILED_WITHIN = dt.timedelta(days=1)
LONG_WAIT = dt.timedelta(minutes=10)
MOST_NEEDS = 4
MOST_ROWS = 8
MOST_TENANTS = 3


@dataclass(frozen=True, slots=True)
class Capacity:
    """The cluster's nodes: how many are ready, and bars of what the ready ones offer and all work holds."""

    nodes: int
    ready: int
    gauges: list[Gauge]


@route(Action.SIGNED_IN)
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    user, now = person(request), timezone.now()
    has_tenant = _has_tenant(user)
    visited = last_visit(user=user, now=now)
    failed_since = max(min(visited or now, now - FAILED_WITHIN), now - ENDED_WITHIN)
    work = selectors.work_of(user=user, ended_since=now - ENDED_WITHIN)
    limits = _limits(memberships_of(user)[:MOST_TENANTS])
    needs = presentation.told_all(_needs(work, now, failed_since))
    context = {
        "needs": needs[:MOST_NEEDS],
        "more_needs": max(0, len(needs) - MOST_NEEDS),
        "full": [(tenant, gauge) for tenant, gauges in limits for gauge in gauges if gauge.full],
        "visited": visited,
        "active": _told(work, active=True),
        "active_states": sorted(ACTIVE),
        "ended": _told(work, active=False),
        "limits": limits,
        "capacity": _capacity(user) if has_tenant else None,
        "has_tenant": has_tenant,
        "may_submit": selectors.may_submit_somewhere(user),
        "starts": [] if work else selectors.first_templates(user=user),
    }
    return render(request, "web/home.html", context)


def _needs(work: Sequence[Workload], now: dt.datetime, failed_since: dt.datetime) -> list[Workload]:
    """Return what its owner should look at: failed since then; then what waits long or for something to be done."""
    failed = [workload for workload in work if _failed_lately(workload, failed_since)]
    return failed + [workload for workload in work if _waits(workload, now)]


def _failed_lately(workload: Workload, since: dt.datetime) -> bool:
    ended = workload.ended_at
    return workload.state == State.FAILED and ended is not None and ended > since


def _waits(workload: Workload, now: dt.datetime) -> bool:
    if workload.state not in {State.QUEUED, State.STARTING}:
        return False
    return now - workload.created > LONG_WAIT or presentation.must_act(workload)


def _told(work: Sequence[Workload], *, active: bool) -> list[Told[Workload]]:
    return presentation.told_all([row for row in work if (row.state in ACTIVE) is active][:MOST_ROWS])


def _limits(memberships: Sequence[Membership]) -> list[tuple[Tenant, list[Gauge]]]:
    tenants = [found.tenant for found in memberships]
    held = held_by([tenant.pk for tenant in tenants])
    return [(tenant, gauges_of(tenant.limits, held[tenant.pk])) for tenant in tenants]


def _capacity(user: User) -> Capacity | None:
    nodes = list(Node.objects.visible_to(user))
    if not nodes:
        return None
    usable = [node for node in nodes if node.ready and not node.unschedulable]
    offers = Limits(
        cpu_millicores=sum(node.cpu_millicores for node in usable),
        memory_mib=sum(node.memory_mib for node in usable),
        pods=sum(node.pods for node in usable),
        gpus=sum(node.gpus for node in usable),
    )
    return Capacity(len(nodes), len(usable), gauges_of(offers, selectors.held_by_all()))


def _has_tenant(user: User) -> bool:
    if user.is_platform_admin or user.is_auditor:
        return Tenant.objects.visible_to(user).exists()
    return bool(memberships_of(user))
