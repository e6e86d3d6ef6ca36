"""The reason under a state: one clause, at most about 45 characters, no full stop."""

import signal
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import units
from workloads.explain.facts import Facts
from workloads.specs import Reason

MAX_USER = 32
SIGNAL_BASE = 128
CANNOT_RUN = 126
NOT_FOUND = 127

_FIXED = {
    Reason.CLUSTER_ABSENT: gettext_lazy("The cluster is not there yet"),
    Reason.CLUSTER_STALE: gettext_lazy("The cluster does not answer"),
    Reason.TENANT_NOT_READY: gettext_lazy("The tenant is still being set up"),
    Reason.NO_NODE: gettext_lazy("No node is ready"),
    Reason.BEHIND_OTHERS: gettext_lazy("Behind other work in the queue"),
    Reason.DRAINED: gettext_lazy("Stopped: a limit was lowered; waits again"),
    Reason.CREATING: gettext_lazy("Being created in the cluster"),
    Reason.REFUSED_RETRYING: gettext_lazy("The cluster refused it; tries again"),
    Reason.UNSCHEDULABLE: gettext_lazy("No node has room for it now"),
    Reason.PULLING_IMAGE: gettext_lazy("Pulling the image"),
    Reason.IMAGE_PULL_FAILED: gettext_lazy("The image cannot be pulled"),
    Reason.CONTAINER_CREATING: gettext_lazy("The container is being made"),
    Reason.EVICTED: gettext_lazy("Evicted by its node"),
    Reason.NODE_LOST: gettext_lazy("Its node stopped answering"),
    Reason.REFUSED: gettext_lazy("The cluster refused it"),
    Reason.IMAGE_INVALID: gettext_lazy("The image's name is not valid"),
    Reason.OBJECT_DELETED: gettext_lazy("Deleted in the cluster, not by Berth"),
    Reason.FOREIGN_OBJECT: gettext_lazy("Its name is taken in the cluster"),
    Reason.UNKNOWN: gettext_lazy("The reason is unknown"),
}


def reason_text(code: str, params: Any) -> str:
    """Return the short line of a reason; "" where there is none to give."""
    try:
        reason = Reason(code)
    except ValueError:
        reason = Reason.UNKNOWN
    if reason is Reason.NONE:
        return ""
    if reason in _FIXED:
        return str(_FIXED[reason])
    return _COUNTED[reason](Facts(params))


def exit_text(exit_code: int | None) -> str:
    """Return what an exit code means, the code after it."""
    if exit_code is None:
        return _("Ended with an unknown exit code")
    if exit_code == CANNOT_RUN:
        return _("The command cannot be run (exit code 126)")
    if exit_code == NOT_FOUND:
        return _("The command was not found (exit code 127)")
    if name := signal_name(exit_code):
        return _("Ended by %(signal)s (exit code %(exit_code)d)") % {"signal": name, "exit_code": exit_code}
    return _("Ended with exit code %(exit_code)d") % {"exit_code": exit_code}


def signal_name(exit_code: int) -> str:
    """Return the signal that an exit code above 128 stands for by the shells' custom; "" for others."""
    try:
        return signal.Signals(exit_code - SIGNAL_BASE).name
    except ValueError:
        return ""


def _over_quota(facts: Facts) -> str:
    return _("Asks %(asked)s, tenant has %(free)s left") % {"asked": facts.amount("asked"), "free": facts.free()}


def _over_share(facts: Facts) -> str:
    said = {"asked": facts.amount("asked"), "free": facts.free()}
    if facts.text("whose") == "priority":
        return _("Asks %(asked)s, its priority has %(free)s left") % said
    return _("Asks %(asked)s, its owner has %(free)s left") % said


def _max_running(facts: Facts) -> str:
    said = {name: facts.count(name) for name in ("running", "limit")}
    return _("The tenant runs %(running)s of at most %(limit)s") % said


def _no_capacity(facts: Facts) -> str:
    return _("Asks %(asked)s, cluster has %(free)s free") % {
        "asked": facts.amount("asked"),
        "free": facts.amount("free"),
    }


def _too_large(facts: Facts) -> str:
    return _("Asks %(asked)s, largest node has %(largest)s") % {
        "asked": facts.amount("asked"),
        "largest": facts.amount("largest"),
    }


def _retrying(facts: Facts) -> str:
    attempt = facts.number("attempt")
    if attempt is None:
        return _("Failed; tries again")
    return _("Run %(attempt)d failed; tries again") % {"attempt": attempt}


def _oom_killed(facts: Facts) -> str:
    memory_mib = facts.memory_limit_mib
    if memory_mib is None:
        return _("Used more memory than its limit")
    return _("Used more than its %(limit)s of memory") % {"limit": units.memory_text(memory_mib)}


def _start_failed(facts: Facts) -> str:
    exit_code = facts.number("exit_code")
    return exit_text(exit_code) if exit_code in (CANNOT_RUN, NOT_FOUND) else _("The container could not start")


def _deadline(facts: Facts) -> str:
    limit_s = facts.time_limit_s
    if limit_s is None:
        return _("Reached its time limit")
    return _("Reached its time limit of %(limit)s") % {"limit": units.duration_text(limit_s)}


def _cancelled_by(facts: Facts) -> str:
    user = facts.text("user", limit=MAX_USER)
    return _("Cancelled by %(user)s") % {"user": user} if user else _("Cancelled")


_COUNTED: dict[Reason, Callable[[Facts], str]] = {
    Reason.OVER_QUOTA: _over_quota,
    Reason.OVER_SHARE: _over_share,
    Reason.MAX_RUNNING: _max_running,
    Reason.NO_CAPACITY: _no_capacity,
    Reason.TOO_LARGE: _too_large,
    Reason.RETRYING: _retrying,
    Reason.EXIT_CODE: lambda facts: exit_text(facts.number("exit_code")),
    Reason.OOM_KILLED: _oom_killed,
    Reason.START_FAILED: _start_failed,
    Reason.DEADLINE: _deadline,
    Reason.CANCELLED_BY: _cancelled_by,
}
