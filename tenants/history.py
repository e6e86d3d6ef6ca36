"""The audit trail in words: one sentence an entry, in the reader's language. Reads no table; trusts no value."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.core.models import AuditEntry, PlatformRole
from tenants import specs
from tenants.models import Membership

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """One entry for people."""

    time: dt.datetime
    text: str


def told_entries(entries: Iterable[AuditEntry]) -> list[Told]:
    """Return the entries as sentences, in their order; one of an unknown kind keeps its code."""
    return [Told(entry.time, sentence(entry)) for entry in entries]


def sentence(entry: AuditEntry) -> str:
    """Return what an entry says, in the reader's language."""
    before, after = entry.before or {}, entry.after or {}
    teller = _TELLERS.get(entry.action)
    text = teller(before, after) if teller else _("%(actor)s did: %(action)s")
    roles = dict(PlatformRole.choices if "platform_role" in after else Membership.Role.choices)
    known: dict[str, str | Promise] = {
        "actor": entry.actor_name,
        "action": entry.action,
        "user": str(after.get("user") or before.get("user") or "?"),
        "role": roles.get(after.get("role") or after.get("platform_role") or "", "?"),
        "changes": _changes(before, after),
        "name": str(after.get("name") or before.get("name") or after.get("label_en") or before.get("label_en") or "?"),
        "cohort": str(after.get("cohort") or "?"),
        "version": str(after.get("version") or "?"),
    }
    return text % known


def _member_set(before: Values, after: Values) -> str:
    if before:
        return _("%(actor)s changed the role of %(user)s to %(role)s")
    return _("%(actor)s added %(user)s as %(role)s")


def _cohort_set(_before: Values, after: Values) -> str:
    if after.get("cohort"):
        return _("%(actor)s brought the tenant into the cohort %(cohort)s")
    return _("%(actor)s took the tenant out of its cohort")


def _share_set(before: Values, after: Values) -> str:
    of = {"each": _("each person")}.get(str(after.get("share")), str(after.get("share") or "?"))
    change = f"{of}, {after.get('type') or '?'}: {_share(before)} → {_share(after)}"
    return _("%(actor)s changed a share of the quota") + f" ({change.replace('%', '%%')})"


def _share(values: Values) -> str:
    limit = values.get("limit")
    return "–" if limit is None else str(limit)


def _shown_to(_before: Values, after: Values) -> str:
    texts = {
        "own": _("%(actor)s hid it from all but its owner and admins"),
        "tenant": _("%(actor)s shared it with the tenant"),
        "public": _("%(actor)s shared it with everyone"),
    }
    return texts.get(str(after.get("visibility")), _("%(actor)s did: %(action)s"))


_TELLERS: dict[str, Callable[[Values, Values], str]] = {
    "workload.submit": lambda _before, _after: _("%(actor)s submitted %(name)s"),
    "workload.cancel": lambda _before, _after: _("%(actor)s cancelled the workload"),
    "workload.drain": lambda _before, _after: _("%(actor)s stopped %(name)s by lowering a limit"),
    "workload.hide": lambda _before, _after: _("%(actor)s deleted %(name)s"),
    "cohort.create": lambda _before, _after: _("%(actor)s made the cohort %(name)s"),
    "resource_type.create": lambda _before, _after: _("%(actor)s added the resource type %(name)s"),
    "resource_type.update": lambda _before, _after: _("%(actor)s changed the resource type %(name)s"),
    "resource_type.delete": lambda _before, _after: _("%(actor)s removed the resource type %(name)s"),
    "cohort.delete": lambda _before, _after: _("%(actor)s removed the cohort %(name)s"),
    "ledger.repair": lambda _before, _after: _("The quota ledger was put right on the command line"),
    "token.create": lambda _before, _after: _("%(actor)s made the API token %(name)s"),
    "token.revoke": lambda _before, _after: _("%(actor)s revoked the API token %(name)s"),
    "tenant.create": lambda _before, _after: _("%(actor)s created the tenant"),
    "tenant.quota": lambda _before, _after: _("%(actor)s changed %(changes)s"),
    "tenant.cohort": _cohort_set,
    "tenant.share": _share_set,
    "tenant.update": lambda _before, _after: _("%(actor)s changed %(changes)s"),
    "quota_request.created": lambda _before, _after: _("%(actor)s asked for more quota"),
    "quota_request.asked_back": lambda _before, _after: _("%(actor)s asked back about a quota request"),
    "quota_request.answered": lambda _before, _after: _("%(actor)s answered about a quota request"),
    "quota_request.approved": lambda _before, _after: _("%(actor)s approved a quota request"),
    "quota_request.denied": lambda _before, _after: _("%(actor)s denied a quota request"),
    "quota_request.withdrawn": lambda _before, _after: _("%(actor)s withdrew a quota request"),
    "quota_request.expired": lambda _before, _after: _("A quota request expired"),
    "quota_request.ended": lambda _before, _after: _("What a quota request was granted ended"),
    "quota_rule.set": lambda _before, _after: _("%(actor)s set a rule for quota requests"),
    "quota_rule.delete": lambda _before, _after: _("%(actor)s removed a rule for quota requests"),
    "membership.set": _member_set,
    "membership.remove": lambda _before, _after: _("%(actor)s removed %(user)s"),
    "user.create": lambda _before, _after: _("%(actor)s made the account"),
    "user.create_admin": lambda _before, _after: _("The account was made on the command line"),
    "demo.make": lambda _before, _after: _("It was made for the demo"),
    "user.set_role": lambda _before, _after: _("%(actor)s set the platform role: %(role)s"),
    "user.switch_off": lambda _before, _after: _("%(actor)s switched the account off"),
    "user.switch_on": lambda _before, _after: _("%(actor)s switched the account on"),
    "user.password_link": lambda _before, _after: _("%(actor)s made a link to set the password"),
    "user.password_set": lambda _before, _after: _("%(actor)s set the password"),
    "template.create": lambda _before, _after: _("%(actor)s made the template"),
    "template.version": lambda _before, _after: _("%(actor)s saved version %(version)s"),
    "template.show_to": _shown_to,
    "template.archive": lambda _before, _after: _("%(actor)s archived it"),
    "template.unarchive": lambda _before, _after: _("%(actor)s brought it back"),
    "user.profile": lambda _before, _after: _("%(actor)s changed %(changes)s"),
}


def _changes(before: Values, after: Values) -> str:
    """Return what differs as "label: old → new", joined; values are shown as they were stored."""
    labels = {"name": _("name"), "full_name": _("full name"), "email": _("email address")}
    changed = [name for name in labels if name in after and before.get(name) != after[name]]
    parts = [f"{labels[name]}: {before.get(name) or '–'} → {after[name] or '–'}" for name in changed]
    parts += _rules_changes(before.get("rules"), after.get("rules"))
    return "; ".join([*parts, *_quota_changes(before.get("quota"), after.get("quota"))]) or _("preferences")


def _rules_changes(before: Any, after: Any) -> list[str]:
    """Return changes of a tenant's rules; "–" is no bound."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    labels = {
        "priorities": _("priorities"),
        "max_runtime_s": _("longest time limit (seconds)"),
        "max_running": _("workloads that run at once"),
        "max_waiting": _("workloads that wait"),
    }
    return [f"{labels[name]}: {_rule(before.get(name))} → {_rule(after[name])}" for name in labels if name in after]


def _rule(value: Any) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value or "–")


def _quota_changes(before: Any, after: Any) -> list[str]:
    """Return changes of amounts by resource type: of nominal quotas, or of all that a quota says."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    labels = {
        specs.CPU: _("CPU limit (millicores)"),
        specs.MEMORY: _("memory limit (MiB)"),
        specs.PODS: _("pod limit"),
        specs.GPUS: _("GPU limit"),
    }
    known = [*(key for key in labels if key in after), *sorted(after.keys() - labels.keys())]
    changed = [key for key in known if before.get(key) != after[key]]
    return [
        f"{labels.get(key, key)}: {_amount(before.get(key) or {})} → {_amount(after[key] or {})}" for key in changed
    ]


def _amount(value: Any) -> str:
    words = {"borrow_limit": _("may borrow"), "lend_limit": _("lends")}
    extra = [f"{words[name]} {value[name]}" for name in words if value.get(name)]
    return ", ".join([str(value.get("nominal", 0)), *extra])
