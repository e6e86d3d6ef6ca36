"""The start page: what needs its reader, their work, their limits, what the cluster has free. Only what is known."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from portal.core.policy import Action
from portal.core.routes import person, route
from portal.notices.selectors import unread_notices
from portal.notices.wording import text_of
from portal.web.visits import last_visit
from tenants.gauges import Bar, Gauge, gauges_of, quota_gauges
from tenants.models import Membership, Tenant
from tenants.roles import memberships_of, shown_tenants
from tenants.selectors import quota_lines
from tenants.specs import CPU, GPUS, MEMORY, PODS, Unit
from workloads import holdings, presentation, selectors, templatereads
from workloads.holdings import Balance
from workloads.models import Workload
from workloads.presentation import Told
from workloads.specs import ACTIVE, State

ENDED_WITHIN = dt.timedelta(days=7)
FAILED_WITHIN = dt.timedelta(days=1)
LONG_WAIT = dt.timedelta(minutes=10)  # shorter ones need nobody, whatever is usual
LONG_WAIT_FACTOR = 2
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
    has_tenant = bool(shown_tenants(user))
    balance = holdings.balance_of(user=user)
    visited = last_visit(user=user, now=now)
    failed_since = max(min(visited or now, now - FAILED_WITHIN), now - ENDED_WITHIN)
    work = selectors.work_of(user=user, ended_since=now - ENDED_WITHIN)
    limits = _limits(memberships_of(user)[:MOST_TENANTS])
    needs = presentation.told_all(_needs(work, now, failed_since))
    notices, unread = unread_notices(user=user)
    context = {
        "needs": needs[:MOST_NEEDS],
        "more_needs": max(0, len(needs) - MOST_NEEDS),
        "notices": [(notice, text_of(notice.kind, notice.facts)) for notice in notices],
        "unread": unread,
        "full": [(tenant, gauge) for tenant, gauges in limits for gauge in gauges if gauge.full],
        "visited": visited,
        "active": _told(work, active=True),
        "active_states": sorted(ACTIVE),
        "ended": _told(work, active=False),
        "limits": limits,
        "capacity": _capacity(balance) if has_tenant and balance.nodes else None,
        "has_tenant": has_tenant,
        "may_submit": selectors.may_submit_somewhere(user),
        "starts": [] if work else templatereads.first_templates(user=user),
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
    usual: dt.timedelta | None = getattr(workload, "usual_wait", None)
    long = max(LONG_WAIT, (usual or dt.timedelta()) * LONG_WAIT_FACTOR)
    return now - workload.created > long or presentation.must_act(workload)


def _told(work: Sequence[Workload], *, active: bool) -> list[Told[Workload]]:
    return presentation.told_all([row for row in work if (row.state in ACTIVE) is active][:MOST_ROWS])


def _limits(memberships: Sequence[Membership]) -> list[tuple[Tenant, list[Gauge]]]:
    tenants = [found.tenant for found in memberships]
    lines = quota_lines(tenants)
    return [(tenant, quota_gauges(lines[tenant.pk])) for tenant in tenants]


def _capacity(balance: Balance) -> Capacity:
    shown = ((_("CPU cores"), Unit.MILLICORES, CPU), (_("Memory"), Unit.MIB, MEMORY), (_("GPUs"), Unit.COUNT, GPUS))
    kinds = (*shown, (_("Pods"), Unit.COUNT, PODS))
    bars = [Bar(label, unit, balance.offered[key], balance.held.get(key, 0)) for label, unit, key in kinds]
    return Capacity(balance.nodes, balance.usable_nodes, gauges_of(bars))
