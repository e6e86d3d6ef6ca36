"""Shares of a tenant's quota beside what is held of them, as its page and REST show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from portal.core import policy
from portal.core.models import User
from portal.core.policy import Action
from tenants.models import QuotaShare, ResourceType, Tenant
from tenants.shares import Shares
from tenants.specs import Priority
from workloads import sharebook

MOST_ROWS = 500


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


def share_rows(*, user: User, tenant: Tenant) -> list[QuotaShare]:
    """Return a tenant's shares: of each person, of single ones by name, of priorities. One statement."""
    policy.require(user, Action.TENANT_VIEW, tenant)
    rows = QuotaShare.objects.filter(tenant=tenant).select_related("type", "user")
    return list(rows.order_by("whose", "user__username", "priority", "type__position", "type__key"))


def uses_of(tenant: Tenant, rows: Iterable[QuotaShare]) -> list[Use]:
    """Return what is held of the shares that `share_rows` told, people by name before priorities; at most 500.

    Of each person only who holds something or has a row. One statement, none without a share.
    """
    shown = list(rows)
    if not shown:
        return []
    limits, types = sharebook.limits_of(shown), {row.type.key: row.type for row in shown}
    held = sharebook.held_by_name([tenant.pk])
    shares = Shares({tenant.pk: limits}, (each for each, _name in held))
    people = {each.who.owner: name for each, name in held if each.who.owner}
    people |= {row.user.pk: row.user.get_username() for row in shown if row.user}
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
    uses += [
        Use(type=types[key], priority=each.value, held=shares.held(tenant.pk, each, key), limit=limit, own=True)
        for each in Priority
        for key, limit in limits.priorities.get(each, {}).items()
    ]
    return uses[:MOST_ROWS]
