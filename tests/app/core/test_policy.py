"""Who may do what: nothing unless granted, and a foreign object is the same as a missing one."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from django.contrib.auth.models import AnonymousUser

from portal.core.errors import Denied, NotVisible
from portal.core.models import User
from portal.core.policy import Action, allowed, grants_on, require
from tenants.models import Tenant
from workloads.models import Workload

SEES = {Action.TENANT_VIEW, Action.WORKLOAD_VIEW, Action.TEMPLATE_VIEW}
WORKS = SEES | {Action.WORKLOAD_SUBMIT, Action.WORKLOAD_CANCEL, Action.TEMPLATE_CREATE, Action.QUOTA_REQUEST_CREATE}
LEADS = {Action.WORKLOAD_CANCEL_ANY, Action.TENANT_MEMBERS, Action.TENANT_HISTORY, Action.TENANT_SHARES}
LEADS |= {Action.QUOTA_REQUEST_ANY}
LEADS |= {Action.TEMPLATE_EDIT, Action.TEMPLATE_SHARE}


@pytest.fixture
def workload(tenant: Tenant, owner: User, make_workload: Callable[..., Workload]) -> Workload:
    return make_workload(tenant, owner)


@pytest.mark.parametrize(
    ("person", "granted"),
    [
        ("viewer", SEES),
        ("colleague", WORKS),
        ("tenant_admin", WORKS | LEADS),
        ("outsider", set()),
        (
            "auditor",
            SEES
            | {Action.TENANT_HISTORY, Action.AUDIT_VIEW, Action.QUOTA_REQUEST_INBOX, Action.COHORT_VIEW}
            | {Action.NODE_VIEW, Action.USER_VIEW},
        ),
        ("platform_admin", set(Action)),
    ],
)
def test_each_role_grants_exactly_its_rows(
    person: str, granted: set[Action], tenant: Tenant, workload: Workload, request: pytest.FixtureRequest
) -> None:
    user = request.getfixturevalue(person)
    assert grants_on(user, tenant) == granted
    assert grants_on(user, workload) == granted


def test_a_person_without_any_grant_is_told_that_there_is_nothing(outsider: User, workload: Workload) -> None:
    with pytest.raises(NotVisible):
        require(outsider, Action.WORKLOAD_CANCEL, workload)


def test_a_person_who_sees_it_is_told_that_they_may_not(viewer: User, workload: Workload) -> None:
    require(viewer, Action.WORKLOAD_VIEW, workload)
    with pytest.raises(Denied):
        require(viewer, Action.WORKLOAD_CANCEL, workload)


def test_what_belongs_to_the_platform_is_denied_and_never_hidden(owner: User, platform_admin: User) -> None:
    require(platform_admin, Action.TENANT_CREATE)
    with pytest.raises(Denied):
        require(owner, Action.TENANT_CREATE)


def test_nobody_has_no_rights(tenant: Tenant) -> None:
    assert grants_on(AnonymousUser(), tenant) == grants_on(AnonymousUser(), None) == frozenset()
    with pytest.raises(NotVisible):
        require(AnonymousUser(), Action.TENANT_VIEW, tenant)


def test_an_account_that_was_switched_off_has_no_rights(
    platform_admin: User, tenant_admin: User, tenant: Tenant
) -> None:
    for user in (platform_admin, tenant_admin):
        user.is_active = False
        assert grants_on(user, tenant) == frozenset()


def test_an_object_of_which_no_app_spoke_grants_only_what_the_platform_does(
    tenant_admin: User, auditor: User, owner: User
) -> None:
    assert grants_on(tenant_admin, owner) == frozenset()
    assert not allowed(tenant_admin, Action.TENANT_VIEW, owner)
    assert allowed(auditor, Action.TENANT_VIEW, owner)


@pytest.mark.parametrize("ask", [allowed, require])
def test_an_action_that_does_not_exist_is_a_mistake_even_for_an_admin(
    ask: Callable[..., Any], platform_admin: User
) -> None:
    with pytest.raises(ValueError, match=r"workload\.destroy"):
        ask(platform_admin, cast("Action", "workload.destroy"))
