"""What a tenant's work may be and how much of it at once, beside its quota: checked and changed under its lock."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from portal.core import units
from portal.core.errors import Text, reject
from portal.core.hints import wake
from tenants.choices import PRIORITY_LABELS
from tenants.models import Tenant
from tenants.specs import MAX_RUNTIME_S, MOST_WORKLOADS, QUEUE_WAKE, Priority

NAMES = ("priorities", "max_runtime_s", "max_running", "max_waiting")


def rules_of(tenant: Tenant) -> dict[str, Any]:
    """Return a tenant's rules by their names; None = no bound."""
    return {name: getattr(tenant, name) for name in NAMES}


def told_rules(tenant: Tenant) -> list[tuple[str, str]]:
    """Return a tenant's rules in the reader's language, each with its name."""
    runtime = _("no bound")
    if tenant.max_runtime_s is not None:
        runtime = _("%(limit)s; work that names none gets this one") % {
            "limit": units.duration_text(tenant.max_runtime_s)
        }
    priorities = ", ".join(str(PRIORITY_LABELS[Priority(each)]) for each in tenant.priorities)
    return [
        (_("Priorities that its work may have"), priorities),
        (_("Longest time limit"), runtime),
        (_("Workloads that run at once"), _bound(tenant.max_running)),
        (_("Workloads that wait"), _bound(tenant.max_waiting)),
    ]


def rules_change(tenant: Tenant, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set some rules of a locked tenant; the others stay. In the caller's transaction; what waits is looked at again.

    Returns the rules that changed, before and after. Raises Rejected by field. One statement, none without a change.
    """
    reject({name: texts for name in NAMES if name in changes and (texts := _CHECKS[name](changes[name]))})
    wanted = {name: _plain(name, changes[name]) for name in NAMES if name in changes}
    before = {name: value for name, value in rules_of(tenant).items() if name in wanted and wanted[name] != value}
    after = {name: wanted[name] for name in before}
    if after:
        for name, value in after.items():
            setattr(tenant, name, value)
        tenant.save(update_fields=list(after))
        wake(QUEUE_WAKE)
    return before, after


def _plain(name: str, value: Any) -> Any:
    return [each.value for each in Priority if each in value] if name == "priorities" else value


def _bound(most: int | None) -> str:
    return _("no bound") if most is None else _("at most %(most)d") % {"most": most}


def _priorities_errors(value: Any) -> list[Text]:
    known = [each for each in value if each in set(Priority)]
    return [] if known and len(known) == len(value) else [_("Choose at least one of the priorities.")]


def _runtime_errors(value: Any) -> list[Text]:
    if value is None or 1 <= value <= MAX_RUNTIME_S:
        return []
    return [_("Enter a time of at most %(most)s.") % {"most": units.duration_text(MAX_RUNTIME_S)}]


def _count_errors(value: Any) -> list[Text]:
    if value is None or 1 <= value <= MOST_WORKLOADS:
        return []
    return [_("Enter a number from 1 to %(most)d.") % {"most": MOST_WORKLOADS}]


_CHECKS: Mapping[str, Callable[[Any], list[Text]]] = {
    "priorities": _priorities_errors,
    "max_runtime_s": _runtime_errors,
    "max_running": _count_errors,
    "max_waiting": _count_errors,
}
