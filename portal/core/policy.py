"""Permissions in one place: who may do which action on what. Apps register rows; everything else is denied.

`require` is for services, `allowed` for templates; reads go through a queryset's `visible_to`. This module knows no
tenant: `tenants.roles` and other apps register how an object's grants are found, so the floor stays below them.
"""

import enum
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model

from portal.core.errors import Denied, NotVisible
from portal.core.models import User

if TYPE_CHECKING:
    Actor = User | AnonymousUser
else:
    Actor = object


class Action(enum.StrEnum):
    """Everything that can be asked for; a route without one of these fails a test."""

    PUBLIC = "public"  # reachable without signing in
    SIGNED_IN = "signed_in"  # any account; shows only what visible_to() lets through
    TENANT_CREATE = "tenant.create"
    TENANT_VIEW = "tenant.view"
    TENANT_EDIT_LIMITS = "tenant.edit_limits"
    TENANT_SHARES = "tenant.shares"  # of its quota, for its people
    TENANT_MEMBERS = "tenant.members"
    TENANT_HISTORY = "tenant.history"
    AUDIT_VIEW = "audit.view"
    QUOTA_REQUEST_CREATE = "quota_request.create"
    QUOTA_REQUEST_ANY = "quota_request.any"  # answer and withdraw those of others in the tenant
    QUOTA_REQUEST_INBOX = "quota_request.inbox"
    QUOTA_REQUEST_DECIDE = "quota_request.decide"
    COHORT_VIEW = "cohort.view"
    COHORT_EDIT = "cohort.edit"
    TYPE_EDIT = "resource_type.edit"
    WORKLOAD_VIEW = "workload.view"
    WORKLOAD_SUBMIT = "workload.submit"
    WORKLOAD_CANCEL = "workload.cancel"
    WORKLOAD_CANCEL_ANY = "workload.cancel_any"
    TEMPLATE_VIEW = "template.view"
    TEMPLATE_CREATE = "template.create"
    TEMPLATE_EDIT = "template.edit"
    TEMPLATE_SHARE = "template.share"  # with the whole tenant
    TEMPLATE_PUBLISH = "template.publish"  # to everybody
    NODE_VIEW = "node.view"
    USER_VIEW = "user.view"
    USER_MANAGE = "user.manage"


PLATFORM_GRANTS: dict[str, frozenset[Action]] = {
    "none": frozenset(),
    "auditor": frozenset(
        {
            Action.TENANT_VIEW,
            Action.TENANT_HISTORY,
            Action.AUDIT_VIEW,
            Action.QUOTA_REQUEST_INBOX,
            Action.COHORT_VIEW,
            Action.WORKLOAD_VIEW,
            Action.TEMPLATE_VIEW,
            Action.NODE_VIEW,
            Action.USER_VIEW,
        }
    ),
    "admin": frozenset(Action),
}

Grants = Callable[[User, Model], frozenset[Action]]
TenantIdOf = Callable[[Model], UUID]
_rules: dict[type[Model], tuple[Grants, TenantIdOf]] = {}


def register(models: Iterable[type[Model]], grants: Grants, tenant_id_of: TenantIdOf) -> None:
    """Say how the grants on objects of these models, and the objects' tenants, are found; once at start-up."""
    for model in models:
        _rules[model] = (grants, tenant_id_of)


def grants_on(actor: Actor, obj: Model | None) -> frozenset[Action]:
    """Return the actions that the actor has on an object, or on the platform when it is None.

    Who acts by a token that is bound to a tenant has nothing outside it.
    """
    if not isinstance(actor, User) or not actor.is_active:
        return frozenset()
    platform = PLATFORM_GRANTS[actor.platform_role]
    grants, tenant_id_of = _rules.get(type(obj), (None, None)) if obj is not None else (None, None)
    bound = actor.bound_tenant_id
    if bound is not None and (obj is None or tenant_id_of is None or tenant_id_of(obj) != bound):
        return frozenset()
    if grants is None or obj is None or platform == PLATFORM_GRANTS["admin"]:
        return platform
    return platform | grants(actor, obj)


def allowed(actor: Actor, action: Action, obj: Model | None = None) -> bool:
    """Tell whether the actor may do this."""
    return Action(action) in grants_on(actor, obj)


def require(actor: Actor, action: Action, obj: Model | None = None) -> None:
    """Raise unless the actor may do this: NotVisible where nothing at all is granted on the object, else Denied."""
    granted = grants_on(actor, obj)
    if Action(action) in granted:
        return
    if obj is not None and not granted:
        raise NotVisible
    raise Denied
