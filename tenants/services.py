"""What people do to tenants and memberships: policy, rows, audit, then a hint to the worker."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.core import audit, policy
from portal.core.errors import Conflict, Rejected, Text, reject
from portal.core.hints import hint
from portal.core.models import User
from portal.core.policy import Action
from portal.core.transactions import retried
from tenants import quotas, quotaservices, specs, tasks
from tenants.models import Membership, QuotaLine, Tenant
from tenants.rules import rules_change
from tenants.specs import Amounts, Excess, Role


@retried
def tenant_create(*, actor: User, slug: str, name: str, limits: Amounts) -> Tenant:
    """Create a tenant with these nominal quotas by type; its namespace is made after the commit.

    Raises Denied, Rejected by field: a type's is its key.
    """
    policy.require(actor, Action.TENANT_CREATE)
    types = quotaservices.types_by_key()
    reject({**_slug_errors(slug), **_name_errors(name), **quotaservices.amount_errors(types, limits)})
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(slug=slug, name=name.strip())
            QuotaLine.objects.bulk_create(
                QuotaLine(tenant=tenant, type=types[key], nominal=amount) for key, amount in limits.items()
            )
            after = {"slug": slug, "name": tenant.name, "limits": dict(limits)}
            audit.record(actor=actor, action="tenant.create", target=tenant, tenant_id=tenant.pk, after=after)
            hint(tasks.reconcile_tenant, str(tenant.pk))
    except IntegrityError as error:
        raise Rejected({"slug": [_("Another tenant has this slug.")]}) from error
    return tenant


@retried
def tenant_update(
    *,
    actor: User,
    tenant: Tenant,
    name: str,
    quota: Mapping[str, Mapping[str, int]],
    rules: Mapping[str, Any] | None = None,
    excess: Excess = Excess.REFUSE,
) -> Tenant:
    """Change a tenant's name, some bounds of its quota (by key, then by name) and some rules; the namespace follows.

    Where more is held than would be allowed, `excess` must say what becomes of it (see `quota_set`). Raises
    NotVisible, Denied, Rejected by field.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS, tenant)
    reject(_name_errors(name))
    with transaction.atomic():
        [locked] = quotas.tenants_locked([tenant.pk])
        old, new = quotaservices.quota_change(locked, quota, excess=excess)
        stopped = quotaservices.excess_drained(actor, locked, quota) if excess is Excess.DRAIN else []
        old_rules, new_rules = rules_change(locked, rules or {})
        before: dict[str, Any] = {"quota": old} if old else {}
        after: dict[str, Any] = {**({"quota": new} if new else {}), **quotaservices.stopped_told(stopped)}
        if new_rules:
            before["rules"], after["rules"] = old_rules, new_rules
        if locked.name != name.strip():
            before["name"], after["name"] = locked.name, name.strip()
            locked.name = name.strip()
            locked.save(update_fields=["name"])
        if after:
            audit.record(
                actor=actor, action="tenant.update", target=locked, tenant_id=locked.pk, before=before, after=after
            )
    return locked


@retried
def membership_set(*, actor: User, tenant: Tenant, user: User, role: Role) -> Membership:
    """Give somebody a role in a tenant, in place of any other.

    Raises NotVisible, Denied, Rejected, Conflict where a tenant admin would leave the tenant without one.
    """
    policy.require(actor, Action.TENANT_MEMBERS, tenant)
    if role not in set(Role):
        raise Rejected({"role": [_("There is no such role.")]})
    with transaction.atomic():
        if role != Role.ADMIN:
            _keep_an_admin(actor, tenant, user)
        old = Membership.objects.select_for_update().filter(tenant=tenant, user=user).first()
        membership, _created = Membership.objects.update_or_create(tenant=tenant, user=user, defaults={"role": role})
        if old is None or old.role != role:
            _record_member(actor, membership, before=old.role if old else None, after=role)
    _forget_roles(user)
    return membership


@retried
def membership_remove(*, actor: User, tenant: Tenant, user: User) -> None:
    """Take somebody out of a tenant; nothing happens if they are not in it.

    Raises NotVisible, Denied, Conflict where a tenant admin would leave the tenant without one.
    """
    policy.require(actor, Action.TENANT_MEMBERS, tenant)
    with transaction.atomic():
        _keep_an_admin(actor, tenant, user)
        membership = Membership.objects.select_for_update().filter(tenant=tenant, user=user).first()
        if membership is not None:
            _record_member(actor, membership, before=membership.role, after=None)
            membership.delete()
    _forget_roles(user)


def _keep_an_admin(actor: User, tenant: Tenant, user: User) -> None:
    """Raise Conflict if the tenant's only admin would go, unless by a platform admin. Locks them all."""
    admins = Membership.objects.select_for_update().filter(tenant=tenant, role=Role.ADMIN, user__is_active=True)
    if [admin.user_id for admin in admins] == [user.pk] and not policy.allowed(actor, Action.TENANT_CREATE):
        raise Conflict(_("This is the only admin of the tenant. Make somebody else one first."))


def _slug_errors(slug: str) -> dict[str, list[Text]]:
    if specs.slug_valid(slug):
        return {}
    return {"slug": [_("Use 1 to 40 small letters, digits and inner hyphens; “system” and “new” are taken.")]}


def _name_errors(name: str) -> dict[str, list[Text]]:
    return (
        {}
        if 0 < len(name.strip()) <= specs.MAX_TENANT_NAME
        else {"name": [_("Enter a name of at most 120 characters.")]}
    )


def _record_member(actor: User, membership: Membership, *, before: str | None, after: str | None) -> None:
    user = {"user": membership.user.get_username()}
    audit.record(
        actor=actor,
        action="membership.set" if after else "membership.remove",
        target=membership,
        tenant_id=membership.tenant_id,
        before=user | {"role": str(before)} if before else None,
        after=user | {"role": str(after)} if after else None,
    )


def _forget_roles(user: User) -> None:
    """Drop the roles remembered on the user object (see `tenants.roles`)."""
    if hasattr(user, "roles_seen"):
        del user.roles_seen
