"""What the queue would do with a request not submitted yet: the plan that the queue itself makes, one row longer."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from tenants.models import Tenant
from workloads import admission, explain
from workloads.queue import Amount
from workloads.specs import Problem, Reason, Resources, State


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tone ("ok", "warn", "bad" or ""), icon, what would happen, why, and how the submit button says it."""

    tone: str
    icon: str
    title: str
    sentence: str
    button: str


@dataclass(slots=True)
class _Asked:
    """A request as `explain` reads it."""

    state: str
    reason_code: str
    reason_params: Any
    memory_mib: int


def verdict_of(tenant: Tenant, resources: Resources) -> Verdict:
    """Return what would happen to a request if it were submitted now. Five statements, nothing is written."""
    asks = Amount(resources.cpu_millicores, resources.memory_mib, resources.gpus, 1)
    wait = admission.preview(tenant, asks)
    if wait is None:
        return Verdict("ok", "bolt", _("Starts now"), _("The tenant's limits and the cluster have room."), _("Submit"))
    if wait.reason is Reason.OVER_QUOTA and wait.params["asked"] > wait.params["limit"]:
        problem = Problem(str(wait.params["resource"]), "above_tenant", dict(wait.params))
        return Verdict("bad", "ban", _("Can never start"), explain.problem_text(problem), _("Submit"))
    card = explain.explanation(_Asked(State.QUEUED, wait.reason, dict(wait.params), resources.memory_mib))
    sentence = card.sentence if card else ""
    if wait.reason is Reason.TOO_LARGE:
        return Verdict("bad", "ban", _("Cannot start as things are"), sentence, _("Submit"))
    return Verdict("warn", "clock-hour-4", _("Joins the queue"), sentence, _("Submit, joins the queue"))
