"""What all tabs of a workload's page show, and which attempts it has. Each tab adds its own part."""

import uuid
from typing import Any

from django.conf import settings
from django.urls import reverse

from portal.core import policy
from portal.core.models import User
from portal.core.policy import Action
from workloads import comparison, explain, lineage, presentation, selectors, templatereads, timeline
from workloads.logs import retention
from workloads.models import Workload
from workloads.specs import TERMINAL, State

OVERVIEW_LINES = 100
MOST_RANKS = 256


def page_context(user: User, workload_id: uuid.UUID, tab: str) -> dict[str, Any]:
    """Return what the frame of a workload's page shows; raises NotVisible. Three statements beyond
    the shell's at most."""
    workload, family = lineage.family_of(user=user, workload_id=workload_id)
    attempts, pod_count = selectors.counted_attempts_of(workload)
    return {
        "workload": workload,
        "current_tenant": workload.tenant,
        "told": presentation.told(workload),
        "log_keep_days": settings.LOG_RETENTION_DAYS,
        "log_kept_until": retention.kept_until(workload),
        "attempts": presentation.told_all(attempts),
        "attempt": attempts[0] if attempts else None,
        "steps": timeline.timeline_of(workload, attempts),
        "can_cancel": _may_cancel(user, workload),
        "may_submit": policy.allowed(user, Action.WORKLOAD_SUBMIT, workload),
        "live": workload.state not in TERMINAL,
        "tab": tab,
        "head_url": f"{reverse('workloads:head', args=[workload.pk])}?tab={tab}",
        "lineage": family,
        "origin": templatereads.template_seen(user=user, template_id=workload.made_from_id),
        "pod_count": pod_count,
        "ranks": [f"r{index}" for index in range(min(attempts[0].pods, MOST_RANKS))] if attempts else [],
    }


def overview(context: dict[str, Any]) -> dict[str, Any]:
    """Return what the overview adds: the explanation, the command, changes against the parent, latest events."""
    workload, family, attempt = context["workload"], context["lineage"], context["attempt"]
    added: dict[str, Any] = {
        "explanation": explain.explanation(workload),
        "command": presentation.command_text(workload.spec),
        "digest": attempt.image_digest.rpartition("@")[2] if attempt else "",
        "last_seq": max(0, workload.readable_last_seq - OVERVIEW_LINES),  # where the overview's viewer begins
        "events": presentation.told_all(selectors.events_of(workload)),
    }
    if family.parent:
        added["changes"], added["more_changes"] = comparison.brief_of(family.parent_spec, workload.spec)
    return added


def _may_cancel(user: User, workload: Workload) -> bool:
    if workload.state in TERMINAL or workload.state == State.STOPPING:
        return False
    action = Action.WORKLOAD_CANCEL if workload.owner_id == user.pk else Action.WORKLOAD_CANCEL_ANY
    return policy.allowed(user, action, workload)
