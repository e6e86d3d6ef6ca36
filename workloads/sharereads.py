"""Shares of a tenant's quota beside what is held of them, as its page and REST show them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from portal.core import policy
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import QuotaShare, ResourceType, Tenant
from tenants.shares import Held, Shares, Who
from tenants.specs import Priority
from workloads import sharebook

MOST_ROWS = 500

# All types, each with its shares, and then what unsettled attempts hold, alike ones counted together.
_READ = """
SELECT t.key, t.label_en, t.label_zh, t.unit, t.position, s.whose, s.user_id, u.username, s.priority, s."limit",
       NULL::smallint AS rank, NULL::jsonb AS holds, NULL::bigint AS workloads
FROM tenants_resourcetype t
LEFT JOIN tenants_quotashare s ON s.type_id = t.id AND s.tenant_id = %(tenant)s
LEFT JOIN core_user u ON u.id = s.user_id
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, w.owner_id, u.username, NULL, NULL, w.priority_rank, a.holds, count(*)
FROM workloads_attempt a JOIN workloads_workload w ON w.id = a.workload_id JOIN core_user u ON u.id = w.owner_id
WHERE a.tenant_id = %(tenant)s AND NOT a.settled
GROUP BY w.owner_id, u.username, w.priority_rank, a.holds
"""
_TYPE = ("key", "label_en", "label_zh", "unit", "position")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one person (`user`, a name) or one priority holds of a share. `own`: it is a row of their own."""

    type: ResourceType
    user: str = ""
    priority: str = ""
    held: int
    limit: int
    own: bool

    @property
    def full(self) -> bool:
        """Whether nothing more fits."""
        return self.held >= self.limit


@dataclass(frozen=True, slots=True)
class Sheet:
    """All resource types, a tenant's shares, and what is held of these: people by name before priorities, at most 500.

    Of the share of each person only who holds something or has a row is told.
    """

    types: Sequence[ResourceType]
    shares: Sequence[QuotaShare]
    uses: Sequence[Use]


def sheet_of(*, user: User, tenant: Tenant) -> Sheet:
    """Return what is to be told of a tenant's shares. One statement. Raises NotVisible, Denied."""
    policy.require(user, Action.TENANT_VIEW, tenant)
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"tenant": tenant.pk})
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    of_types = [row for row in rows if row["key"] is not None]
    types = {row["key"]: ResourceType(**{name: row[name] for name in _TYPE}) for row in of_types}
    shares = [_share(tenant, types, row) for row in of_types if row["whose"] is not None]
    shares.sort(
        key=lambda row: (row.whose, row.user.get_username() if row.user else "", row.priority, _place(row.type))
    )
    held = [(_held(tenant, row), str(row["username"])) for row in rows if row["key"] is None]
    return Sheet(sorted(types.values(), key=_place), shares, _uses(tenant, shares, held)[:MOST_ROWS])


def _place(found: ResourceType) -> tuple[int, str]:
    return found.position, found.key


def _name(row: QuotaShare) -> str:
    return row.user.get_username().lower() if row.user else ""


def _share(tenant: Tenant, types: Mapping[str, ResourceType], row: Mapping[str, Any]) -> QuotaShare:
    person = User(pk=row["user_id"], username=row["username"]) if row["user_id"] else None
    of = {"type": types[row["key"]], "whose": row["whose"], "user": person, "priority": row["priority"]}
    return QuotaShare(tenant=tenant, limit=row["limit"], **of)


def _held(tenant: Tenant, row: Mapping[str, Any]) -> Held:
    holds = json.loads(row["holds"]) if isinstance(row["holds"], str) else row["holds"]
    return Held(Who(tenant.pk, row["user_id"], list(Priority)[row["rank"]]), holds, row["workloads"])


def _uses(tenant: Tenant, rows: Sequence[QuotaShare], held: Iterable[tuple[Held, str]]) -> list[Use]:
    limits, types = sharebook.limits_of(rows), {row.type.key: row.type for row in rows}
    people: dict[UUID, str] = {row.user.pk: row.user.get_username() for row in rows if row.user}
    shares = Shares({tenant.pk: limits})
    for each, name in held:
        shares.charge(each.who, each.holds, workloads=each.workloads)
        if each.who.owner:
            people[each.who.owner] = name
    uses = [
        Use(
            type=types[key],
            user=name,
            held=shares.held(tenant.pk, person, key),
            limit=limit,
            own=key in limits.users.get(person, {}),
        )
        for person, name in sorted(people.items(), key=lambda each: each[1].lower())
        for key, limit in limits.of_user(person).items()
    ]
    return uses + [
        Use(type=types[key], priority=each.value, held=shares.held(tenant.pk, each, key), limit=limit, own=True)
        for each in Priority
        for key, limit in limits.priorities.get(each, {}).items()
    ]
