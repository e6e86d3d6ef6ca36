"""What people may do to tenants, and what it leaves behind."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.models import AuditEntry, User
from tenants.models import Membership, Tenant
from tenants.selectors import quotas_of
from tenants.services import membership_remove, membership_set, tenant_create, tenant_update
from tenants.specs import Excess, Role
from tests.quota import limits_of
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
LIMITS = {"cpu_millicores": 2_000, "memory_mib": 4_096, "pods": 10, "gpus": 1}


def nominal(limits: Mapping[str, int], *, full: bool = False) -> dict[str, dict[str, int]]:
    rest = {"borrow_limit": 0, "lend_limit": 0} if full else {}
    return {key: {"nominal": amount, **rest} for key, amount in limits.items()}


def test_a_platform_admin_creates_a_tenant_that_waits_for_its_namespace(platform_admin: User) -> None:
    tenant = tenant_create(actor=platform_admin, slug="robots", name=" Robots ", limits=LIMITS)
    tenant.refresh_from_db()
    assert (tenant.name, tenant.status, limits_of(tenant)) == ("Robots", "creating", LIMITS)
    entry = AuditEntry.objects.get(target_id=str(tenant.pk))
    assert entry.after is not None
    assert (entry.action, entry.actor, entry.after["slug"]) == ("tenant.create", platform_admin, "robots")


@pytest.mark.parametrize("slug", ["", "Robots", "-a", "a-", "a" * 41, "system", "ro_bots", "a.b"])
def test_a_slug_that_cannot_name_a_namespace_gets_a_message_at_its_field(platform_admin: User, slug: str) -> None:
    with pytest.raises(Rejected) as refused:
        tenant_create(actor=platform_admin, slug=slug, name="Robots", limits=LIMITS)
    assert list(refused.value.fields) == ["slug"]
    assert not Tenant.objects.exists()


def test_a_taken_slug_gets_a_message_at_its_field(platform_admin: User, tenant: Tenant) -> None:
    with pytest.raises(Rejected) as refused:
        tenant_create(actor=platform_admin, slug=tenant.slug, name="Again", limits=LIMITS)
    assert list(refused.value.fields) == ["slug"]


def test_a_limit_out_of_range_and_an_empty_name_get_messages_at_their_fields(platform_admin: User) -> None:
    with pytest.raises(Rejected) as refused:
        tenant_create(
            actor=platform_admin,
            slug="robots",
            name=" ",
            limits={"cpu_millicores": -1, "memory_mib": 2**62, "pods": 1, "warp_cores": 1},
        )
    assert sorted(refused.value.fields) == ["cpu_millicores", "memory_mib", "name", "warp_cores"]


def test_only_a_platform_admin_creates_tenants(tenant_admin: User) -> None:
    with pytest.raises(Denied):
        tenant_create(actor=tenant_admin, slug="robots", name="Robots", limits=LIMITS)


def test_new_limits_start_a_new_generation_once(platform_admin: User, tenant: Tenant) -> None:
    tenant.refresh_from_db()
    before = tenant.generation
    tenant_update(actor=platform_admin, tenant=tenant, name="Vision", quota=nominal(LIMITS))
    tenant.refresh_from_db()
    assert (tenant.generation, limits_of(tenant)) == (before + 1, LIMITS)
    tenant_update(actor=platform_admin, tenant=tenant, name="Vision", quota=nominal(LIMITS))
    tenant.refresh_from_db()
    assert tenant.generation == before + 1
    entry = AuditEntry.objects.get(action="tenant.update")
    assert (entry.before, entry.after) == (
        {"quota": nominal({"cpu_millicores": 8_000, "memory_mib": 16_384, "pods": 50, "gpus": 4}, full=True)},
        {"quota": nominal(LIMITS, full=True)},
    )


def test_a_limit_that_is_not_given_stays_as_it_is(platform_admin: User, tenant: Tenant) -> None:
    before = limits_of(tenant)
    tenant_update(actor=platform_admin, tenant=tenant, name="Vision", quota=nominal({"gpus": 3}))
    assert limits_of(tenant) == {**before, "gpus": 3}


def test_a_limit_below_what_is_held_needs_a_choice_and_then_the_cluster_still_allows_what_runs(
    platform_admin: User,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    with pytest.raises(Rejected) as refused:
        tenant_update(actor=platform_admin, tenant=tenant, name="Sight", quota=nominal({"gpus": 1}))
    assert list(refused.value.fields) == ["gpus", "excess"]
    tenant_update(actor=platform_admin, tenant=tenant, name="Vision", quota=nominal({"gpus": 1}), excess=Excess.KEEP)
    line = tenant.quota_lines.get(type__key="gpus")
    assert (line.nominal, line.used, line.overhang) == (1, 3, 2)
    assert {quota.key: quota.most for quota in quotas_of(tenant)}["gpus"] == 3


@pytest.mark.parametrize(("who", "error"), [("tenant_admin", Denied), ("outsider", NotVisible)])
def test_others_cannot_change_limits(
    request: pytest.FixtureRequest, tenant: Tenant, who: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        tenant_update(actor=request.getfixturevalue(who), tenant=tenant, name="x", quota=nominal(LIMITS))


def test_a_tenant_admin_gives_and_takes_roles_with_an_audit_trail(
    tenant_admin: User, tenant: Tenant, outsider: User
) -> None:
    membership_set(actor=tenant_admin, tenant=tenant, user=outsider, role=Role.VIEWER)
    membership_set(actor=tenant_admin, tenant=tenant, user=outsider, role=Role.DEVELOPER)
    membership_remove(actor=tenant_admin, tenant=tenant, user=outsider)
    assert not Membership.objects.filter(tenant=tenant, user=outsider).exists()
    trail: list[tuple[Any, Any]] = [
        (entry.before and entry.before["role"], entry.after and entry.after["role"])
        for entry in AuditEntry.objects.filter(action__startswith="membership").order_by("id")
    ]
    assert trail == [(None, "viewer"), ("viewer", "developer"), ("developer", None)]


def test_a_developer_cannot_give_roles(owner: User, tenant: Tenant, outsider: User) -> None:
    with pytest.raises(Denied):
        membership_set(actor=owner, tenant=tenant, user=outsider, role=Role.VIEWER)
