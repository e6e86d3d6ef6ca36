"""What the queue would do with a request not submitted yet: the plan that the queue itself makes, one row longer."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db.models import Q
from django.utils.translation import gettext as _

from portal.core.models import User
from tenants.ledger import Bounds
from tenants.models import Tenant
from tenants.specs import MEMORY, Priority
from workloads import admission, explain, rules
from workloads.asks import asked_in
from workloads.extras import Extras, extras_of
from workloads.models import Workload
from workloads.queue import Wait, Waiting
from workloads.specs import Problem, Reason, Resources, State


class Answer(enum.StrEnum):
    """What would happen."""

    NOW = "now"
    QUEUED = "queued"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the queue would do, and why where it would not start it at once."""

    answer: Answer
    reason: Reason
    reason_text: str
    explanation: explain.Explanation | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tone ("ok", "warn", "bad" or ""), icon, what would happen, why, and how the submit button says it."""

    tone: str
    icon: str
    title: str
    sentence: str
    button: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it would stand in the queue, and what it asks of resource types beyond the built-in ones."""

    item: Waiting
    extras: Extras


def asking(*, user: User, tenant: Tenant, resources: Resources, priority: str) -> Request:
    """Return a request, of this person, as if it were submitted now. One statement."""
    item = Waiting(
        uuid4(),
        tenant.pk,
        asked_in(resources),
        classes=resources.gpu_models,
        owner_id=user.pk,
        priority=Priority(priority),
    )
    return Request(item, extras_of(resources))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How many waiting workloads would start at once by a change, and how many could never start after it."""

    starts: int
    never: int


@dataclass(slots=True)
class _Asked:
    """A request as `explain` reads it."""

    state: str
    reason_code: str
    reason_params: Any
    memory_mib: int
    extra: Any


def forecast_of(asked: Request) -> Forecast:
    """Return what the queue would do with a request now. At most nine statements, nothing is written."""
    wait = admission.preview(asked.item, asked.extras.rows)
    if wait is None:
        return Forecast(Answer.NOW, Reason.NONE, "", None)
    params = dict(wait.params)
    never = wait.reason is Reason.TOO_LARGE or _above_ceiling(wait) or _above_share(wait)
    return Forecast(
        Answer.NEVER if never else Answer.QUEUED,
        wait.reason,
        explain.reason_text(wait.reason, params),
        _card(asked, wait),
    )


def place_of(workload: Workload) -> int | None:
    """Return a waiting workload's place among its tenant's, from 1; None for one that does not wait. One statement."""
    if workload.state != State.QUEUED:
        return None
    rank = workload.priority_rank
    earlier = Q(created__lt=workload.created) | Q(created=workload.created, id__lt=workload.pk)
    ahead = Q(priority_rank__lt=rank) | Q(earlier, priority_rank=rank)
    return Workload.objects.filter(ahead, tenant=workload.tenant_id, state=State.QUEUED).count() + 1


def last_place_of(asked: Request) -> int:
    """Return the place that a request submitted now would have among those of its tenant that wait. One statement."""
    waiting = Workload.objects.filter(tenant=asked.item.tenant_id, state=State.QUEUED)
    return waiting.filter(priority_rank__lte=asked.item.priority.rank).count() + 1


def effect_of(bounds: Mapping[tuple[UUID, str], Bounds]) -> Effect:
    """Return what other bounds, by tenant and type, would do to what waits. Nine statements; nothing is written."""
    now, then = admission.plans_under(bounds)
    never = [{item for item, wait in made.wait.items() if _above_ceiling(wait)} for made in (now, then)]
    return Effect(starts=len(set(then.admit) - set(now.admit)), never=len(never[1] - never[0]))


def verdict_of(tenant: Tenant, asked: Request) -> Verdict:
    """Return what would happen to a request if it were submitted now. At most ten statements, nothing is written."""
    full = rules.queue_problem(tenant)
    if full is not None:
        return Verdict("bad", "ban", _("Cannot be submitted now"), explain.problem_text(full), _("Submit"))
    if asked.extras.problems:
        text = explain.problem_text(asked.extras.problems[0])
        return Verdict("bad", "ban", _("Can never start"), text, _("Submit"))
    wait = admission.preview(asked.item, asked.extras.rows)
    if wait is None:
        return Verdict("ok", "bolt", _("Starts now"), _("The tenant's limits and the cluster have room."), _("Submit"))
    if _above_ceiling(wait):
        most = wait.params.get("ceiling", wait.params["limit"])
        problem = Problem(str(wait.params["resource"]), "above_tenant", {**wait.params, "limit": most})
        return Verdict("bad", "ban", _("Can never start"), explain.problem_text(problem), _("Submit"))
    card = _card(asked, wait)
    sentence = card.sentence if card else ""
    if wait.reason is Reason.TOO_LARGE or _above_share(wait):
        return Verdict("bad", "ban", _("Cannot start as things are"), sentence, _("Submit"))
    return Verdict("warn", "clock-hour-4", _("Joins the queue"), sentence, _("Submit, joins the queue"))


def _card(asked: Request, wait: Wait) -> explain.Explanation | None:
    memory_mib = asked.item.asks.get(MEMORY, 0)
    return explain.explanation(_Asked(State.QUEUED, wait.reason, dict(wait.params), memory_mib, asked.extras.rows))


def _above_share(wait: Wait) -> bool:
    """Tell whether more is asked than one person or one priority may hold at all."""
    return wait.reason is Reason.OVER_SHARE and wait.params["asked"] > wait.params["limit"]


def _above_ceiling(wait: Wait) -> bool:
    """Tell whether more is asked than the tenant could hold at all."""
    params = wait.params
    return wait.reason is Reason.OVER_QUOTA and params["asked"] > params.get("ceiling", params["limit"])
