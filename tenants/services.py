"""What people do to tenants and memberships: policy, rows, audit, then a hint to the worker."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.core import audit, policy
from portal.core.errors import Conflict, Rejected, Text
from portal.core.hints import hint
from portal.core.models import User
from portal.core.policy import Action
from tenants import specs, tasks
from tenants.models import Membership, Tenant
from tenants.specs import Limits, Role

_LIMIT_FIELDS = {
    "cpu_millicores": ("cpu_limit_millicores", specs.MAX_CPU_MILLICORES),
    "memory_mib": ("memory_limit_mib", specs.MAX_MEMORY_MIB),
    "pods": ("pods_limit", specs.MAX_PODS),
    "gpus": ("gpu_limit", specs.MAX_GPUS),
}


def tenant_create(*, actor: User, slug: str, name: str, limits: Limits) -> Tenant:
    """Create a tenant; its namespace is made after the commit. Raises Denied, Rejected by field."""
    policy.require(actor, Action.TENANT_CREATE)
    _reject({**_slug_errors(slug), **_name_errors(name), **_limit_errors(limits)})
    try:
        with transaction.atomic():
            tenant = Tenant.objects.create(slug=slug, name=name.strip(), **_limit_columns(limits))
            audit.record(
                actor=actor, action="tenant.create", target=tenant, tenant_id=tenant.pk, after=_described(tenant)
            )
            hint(tasks.reconcile_tenant, str(tenant.pk))
    except IntegrityError as error:
        raise Rejected({"slug": [_("Another tenant has this slug.")]}) from error
    return tenant


def tenant_update(*, actor: User, tenant: Tenant, name: str, limits: Limits) -> Tenant:
    """Change a tenant's name and limits; the namespace follows after the commit. Raises NotVisible, Denied, Rejected.

    A limit below what is in use stops nothing that runs: it holds up what comes next.
    """
    policy.require(actor, Action.TENANT_EDIT_LIMITS, tenant)
    _reject({**_name_errors(name), **_limit_errors(limits)})
    with transaction.atomic():
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        before = _described(locked)
        _set(locked, name=name.strip(), **_limit_columns(limits))
        if _described(locked) == before:
            return locked
        locked.generation += 1
        locked.save()
        audit.record(
            actor=actor,
            action="tenant.update",
            target=locked,
            tenant_id=locked.pk,
            before=before,
            after=_described(locked),
        )
        hint(tasks.reconcile_tenant, str(locked.pk))
    return locked


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


def _reject(errors: Mapping[str, list[Text]]) -> None:
    if errors:
        raise Rejected(errors)


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


def _limit_errors(limits: Limits) -> dict[str, list[Text]]:
    errors: dict[str, list[Text]] = {}
    for field, (column, most) in _LIMIT_FIELDS.items():
        if not 0 <= getattr(limits, field) <= most:
            errors[column] = [_("Enter a number from 0 to %(most)d.") % {"most": most}]
    return errors


def _limit_columns(limits: Limits) -> dict[str, int]:
    return {column: getattr(limits, field) for field, (column, _most) in _LIMIT_FIELDS.items()}


def _set(tenant: Tenant, **values: str | int) -> None:
    for column, value in values.items():
        setattr(tenant, column, value)


def _described(tenant: Tenant) -> dict[str, str | int]:
    return {"slug": tenant.slug, "name": tenant.name, **_limit_columns(tenant.limits)}


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
