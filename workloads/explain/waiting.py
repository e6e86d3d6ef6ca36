"""Cards of workloads that wait: what for, the numbers, what would let them start."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from tenants.kubenames import GPU
from tenants.specs import CPU, GPUS, MEMORY, PODS
from workloads.explain import lines
from workloads.explain.card import Card, Explained, Explanation, Option
from workloads.explain.facts import Facts, resource_text
from workloads.specs import Reason


def _cluster_absent(_facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("Waits for the cluster"),
        sentence=_("The cluster is being started or is not connected yet. This starts by itself once it is there."),
    )


def _cluster_stale(facts: Facts, _workload: Explained) -> Explanation:
    since = facts.text("since")
    return Explanation(
        title=_("The cluster does not answer"),
        sentence=_("Nothing is started while the cluster's state is unknown. Work that runs goes on."),
        facts=((_("Last heard of"), since),) if since else (),
        options=(Option(_("Nothing to do here"), _("it goes on by itself once the cluster answers")),),
    )


def _tenant_not_ready(_facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("The tenant is still being set up"),
        sentence=_("Its namespace, limits and network rules are not complete in the cluster yet."),
        options=(Option(_("Ask a platform admin if this lasts"), _("the tenant's page shows what is missing")),),
    )


def _over_quota(facts: Facts, _workload: Explained) -> Explanation:
    cohort = facts.text("cohort")
    texts = (
        _("Asks %(asked)s; %(free)s of the tenant's %(limit)s are free, and %(cohort)s could lend %(lendable)s.")
        if cohort
        else _("Asks %(asked)s; %(free)s of the tenant's %(limit)s are free.")
    )
    known = {name: facts.amount(name) for name in ("asked", "limit", "lendable")}
    shown = (
        (_("Resource"), facts.resource),
        (_("Asked"), facts.amount("asked")),
        (_("Held by the tenant's work"), facts.amount("held")),
        (_("The tenant's limit"), facts.amount("limit")),
    )
    return Explanation(
        title=_("The tenant's limit is reached"),
        sentence=texts % {**known, "free": facts.free(), "cohort": cohort},
        facts=(*shown, (_("Cohort %(name)s could lend") % {"name": cohort}, known["lendable"])) if cohort else shown,
        options=(
            Option(_("Wait until other work of the tenant ends"), _("this one starts by itself")),
            Option(_("Submit it again with smaller sizes"), _("it starts now if it fits into what is free")),
            Option(_("Ask a platform admin for a higher limit")),
        ),
    )


def _over_share(facts: Facts, _workload: Explained) -> Explanation:
    asked, held, limit = (facts.amount(name) for name in ("asked", "held", "limit"))
    of_priority = facts.text("whose") == "priority"
    if (facts.number("asked") or 0) > (facts.number("limit") or 0):
        sentence = _("Asks %(asked)s, more than the share of %(limit)s: it cannot start as the shares are.")
    elif of_priority:
        sentence = _("Asks %(asked)s; work of its priority holds %(held)s of at most %(limit)s in this tenant.")
    else:
        sentence = _("Asks %(asked)s; its owner holds %(held)s of at most %(limit)s in this tenant.")
    return Explanation(
        title=_("The share of its priority is used up") if of_priority else _("The share of its owner is used up"),
        sentence=sentence % {"asked": asked, "held": held, "limit": limit},
        facts=(
            (_("Resource"), resource_text(facts.text("resource"))),
            (_("Asked"), asked),
            (_("Held by work of its priority") if of_priority else _("Held by its owner's work"), held),
            (_("The share"), limit),
        ),
        options=(
            Option(_("Wait until some of that work ends"), _("this one starts by itself; others are not held up")),
            Option(_("Submit it again with smaller sizes"), _("it starts now if it fits into what is free")),
            Option(_("Ask an admin of the tenant for a larger share")),
        ),
    )


def _max_running(facts: Facts, _workload: Explained) -> Explanation:
    running, limit = facts.count("running"), facts.count("limit")
    return Explanation(
        title=_("The tenant runs as many workloads as it may"),
        sentence=_("%(running)s of at most %(limit)s workloads of the tenant run.")
        % {"running": running, "limit": limit},
        facts=((_("Running"), running), (_("At most"), limit)),
        options=(
            Option(_("Wait until other work of the tenant ends"), _("this one starts by itself")),
            Option(_("Ask a platform admin to let more run at once")),
        ),
    )


def _no_capacity(facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("The cluster is full"),
        sentence=_("Asks %(asked)s; the whole cluster has %(free)s free. The tenant's limit is not the cause.")
        % {"asked": facts.amount("asked"), "free": facts.amount("free")},
        facts=(
            (_("Resource"), facts.resource),
            (_("Asked"), facts.amount("asked")),
            (_("Free in the cluster"), facts.amount("free")),
        ),
        options=(
            Option(_("Wait until work of others ends"), _("room is kept for this one, in the order of the queue")),
            Option(_("Submit it again with smaller sizes")),
        ),
    )


def _no_node(_facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("No node is ready"),
        sentence=_("The cluster answers, but none of its nodes takes work at the moment."),
        options=(Option(_("Nothing to do here"), _("it starts by itself once a node is ready")),),
    )


def _too_large(facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("No node is large enough"),
        sentence=_("Asks %(asked)s in one pod; the largest node has %(largest)s.")
        % {"asked": facts.amount("asked"), "largest": facts.amount("largest")},
        facts=(
            (_("Resource"), facts.resource),
            (_("Asked"), facts.amount("asked")),
            (_("Largest node"), facts.amount("largest")),
        ),
        options=(
            Option(_("Cancel it and submit it with smaller sizes"), _("it can start once it fits on a node")),
            Option(_("Wait for a larger node"), _("unknown when one is added; others are not held up")),
        ),
    )


def _behind_others(_facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("Waits in line"),
        sentence=_("Work that stands before it in the queue is served first, and does not fit yet."),
        options=(Option(_("Nothing to do here"), _("it starts by itself when its turn comes")),),
    )


def _retrying(facts: Facts, _workload: Explained) -> Explanation:
    attempt, retries = facts.number("attempt"), facts.number("retries")
    shown = [
        (_("Failed run"), None if attempt is None else str(attempt)),
        (_("Retries allowed"), None if retries is None else str(retries)),
        (_("Why it failed"), lines.reason_text(facts.text("reason"), facts.params)),
    ]
    return Explanation(
        title=_("Failed, and is tried again"),
        sentence=_("The next run starts once the pods of the failed one are gone and there is room."),
        facts=tuple((label, value) for label, value in shown if value),
        options=(Option(_("Cancel it"), _("if the next run would fail as well")),),
    )


def _drained(facts: Facts, _workload: Explained) -> Explanation:
    user = facts.text("user")
    return Explanation(
        title=_("Stopped because a limit was lowered"),
        sentence=_("The tenant held more than its new limit. It starts anew once its pods are gone and there is room."),
        facts=((_("Lowered by"), user),) if user else (),
        options=(
            Option(_("Nothing to do here"), _("it is tried again by itself, and its retries are not used up by this")),
            Option(_("Save progress on the way"), _("so that a new run can go on from there")),
        ),
    )


def _unschedulable(facts: Facts, workload: Explained) -> Explanation:
    return Explanation(
        title=_("No node has room for it now"),
        sentence=_("It is in the cluster, but its scheduler finds no node with all that is asked for free."),
        facts=_causes(facts, workload),
        options=(
            Option(_("Wait until other work ends"), _("it is placed by itself")),
            Option(_("Cancel it and submit it with smaller sizes")),
        ),
        evidence=facts.message,
    )


_INSUFFICIENT = "Insufficient "
_KUBE_NAMES = {"cpu": CPU, "memory": MEMORY, GPU: GPUS, "pods": PODS}


def _causes(facts: Facts, workload: Explained) -> tuple[tuple[str, str], ...]:
    """Return what the scheduler found, each with the number of nodes it found it on; resources by what they are called
    here where they are known.
    """
    asked = {str(row.get("kube_name")): Facts(row).resource for row in dict(workload.extra or {}).values()}
    known = {**{name: resource_text(key) for name, key in _KUBE_NAMES.items()}, **asked}
    return tuple(
        (_cause_text(cause.text("text"), known), str(cause.number("count") or "?")) for cause in facts.many("causes")
    )


def _cause_text(text: str, known: Mapping[str, str]) -> str:
    resource = known.get(text.removeprefix(_INSUFFICIENT)) if text.startswith(_INSUFFICIENT) else None
    return text if resource is None else _("Nodes with too little free: %(resource)s") % {"resource": resource}


WAITING: dict[Reason, Card] = {
    Reason.CLUSTER_ABSENT: _cluster_absent,
    Reason.CLUSTER_STALE: _cluster_stale,
    Reason.TENANT_NOT_READY: _tenant_not_ready,
    Reason.OVER_QUOTA: _over_quota,
    Reason.OVER_SHARE: _over_share,
    Reason.MAX_RUNNING: _max_running,
    Reason.NO_CAPACITY: _no_capacity,
    Reason.NO_NODE: _no_node,
    Reason.TOO_LARGE: _too_large,
    Reason.BEHIND_OTHERS: _behind_others,
    Reason.RETRYING: _retrying,
    Reason.DRAINED: _drained,
    Reason.UNSCHEDULABLE: _unschedulable,
}
