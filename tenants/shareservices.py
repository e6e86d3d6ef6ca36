"""What administrators do to shares of a tenant's quota: policy, the row under the tenant's lock, audit."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.core import audit, policy
from portal.core.errors import reject
from portal.core.hints import wake
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from tenants import quotas
from tenants.models import QuotaShare, Tenant
from tenants.quotaservices import amount_errors, types_by_key
from tenants.specs import QUEUE_WAKE, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """Of whom a share is: of one person, of one priority, or with neither of each person who has none of their own."""

    user: User | None = None
    priority: str = ""

    @property
    def kind(self) -> QuotaShare.Whose:
        """The row's word for it."""
        if self.user is not None:
            return QuotaShare.Whose.USER
        return QuotaShare.Whose.PRIORITY if self.priority else QuotaShare.Whose.EACH

    @property
    def name(self) -> str:
        """What the audit trail calls it."""
        return self.user.get_username() if self.user is not None else self.priority or "each"


@retried
def share_set(*, actor: User, tenant: Tenant, whose: Whose, key: str, limit: int | None) -> None:
    """Set what somebody may hold of a resource type; None takes the bound away. Whoever holds more keeps it.

    People's shares are for the tenant's admins, priorities' for platform admins. Raises NotVisible, Denied, Rejected
    by field: `user`, `priority`, `type`, `limit`.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS if whose.priority else Action.TENANT_SHARES, tenant)
    _reject(tenant, whose, key, limit)
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        of: dict[str, Any] = {"whose": whose.kind, "user": whose.user, "priority": whose.priority}
        of["type"] = types_by_key()[key]
        row = QuotaShare.objects.filter(tenant=locked, **of).first()
        before = row.limit if row else None
        if before == limit:
            return
        if limit is None:
            QuotaShare.objects.filter(tenant=locked, **of).delete()
        else:
            QuotaShare.objects.update_or_create(tenant=locked, **of, defaults={"limit": limit})
        locked.has_shares = QuotaShare.objects.filter(tenant=locked).exists()
        locked.save(update_fields=["has_shares"])
        _record(actor, locked, {"share": whose.name, "type": key}, before, limit)
        wake(QUEUE_WAKE)


def _reject(tenant: Tenant, whose: Whose, key: str, limit: int | None) -> None:
    types = types_by_key()
    errors = {
        "type" if key not in types else "limit": texts for texts in amount_errors(types, {key: limit or 0}).values()
    }
    if whose.priority and whose.priority not in set(Priority):
        errors["priority"] = [_("There is no such priority.")]
    # who has left still may lose a share of theirs, but gets none
    if whose.user and limit is not None and not tenant.memberships.filter(user=whose.user).exists():
        errors["user"] = [_("This person is not a member of the tenant.")]
    reject(errors)


def _record(actor: User, tenant: Tenant, about: dict[str, Any], before: int | None, after: int | None) -> None:
    values = {"before": {**about, "limit": before}, "after": {**about, "limit": after}}
    audit.record(actor=actor, action="tenant.share", target=tenant, tenant_id=tenant.pk, **values)
