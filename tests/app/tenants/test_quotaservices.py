"""Quotas and cohorts as administrators set them: what is refused, what the ledger says after, who is told."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portal.core.errors import Conflict, Denied, NotVisible, Rejected
from portal.core.models import AuditEntry, User
from tenants.history import sentence
from tenants.ledger import Bounds
from tenants.models import Cohort, PoolLine, QuotaLine, Tenant
from tenants.quotaservices import cohort_create, cohort_delete, cohort_of_tenant_set, quota_set
from tenants.specs import Excess
from tests.quota import set_limits, used_by
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
Admit = Callable[..., Attempt]
MakeWorkload = Callable[..., Workload]


@pytest.fixture
def cohort(cohort: Cohort, platform_admin: User, tenant: Tenant, other_tenant: Tenant) -> Cohort:
    """A cohort of `tenant`, which may borrow two GPUs, and `other_tenant`, which lends three of four."""
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, borrow_limit=2)})
    quota_set(actor=platform_admin, tenant=other_tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=3)})
    return cohort


def line_of(tenant: Tenant, key: str = "gpus") -> tuple[int, int, int]:
    row = QuotaLine.objects.get(tenant=tenant, type__key=key)
    return row.nominal, row.used, row.overhang


def pool_of(cohort: Cohort, key: str = "gpus") -> tuple[int, int, int]:
    row = PoolLine.objects.get(cohort=cohort, type__key=key)
    return row.lendable, row.used, row.overhang


def test_what_is_lent_and_borrowed_is_counted_in_the_cohort(
    cohort: Cohort, tenant: Tenant, owner: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    assert pool_of(cohort) == (3, 0, 0)
    admit(make_workload(tenant, owner, gpus=6))
    assert (line_of(tenant), pool_of(cohort)) == ((4, 6, 0), (3, 2, 0))


def test_lending_less_than_is_lent_out_needs_the_choice_to_keep_it(
    cohort: Cohort,
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    platform_admin: User,
    make_workload: MakeWorkload,
    admit: Admit,
) -> None:
    admit(make_workload(tenant, owner, gpus=6))
    less = {"gpus": Bounds(nominal=4, lend_limit=1)}
    with pytest.raises(Rejected) as refused:
        quota_set(actor=platform_admin, tenant=other_tenant, bounds=less)
    assert [str(text) for text in refused.value.fields["gpus"]] == [
        "1 more than this is lent now. Choose to keep it until its work ends."
    ]
    assert pool_of(cohort) == (3, 2, 0)
    quota_set(actor=platform_admin, tenant=other_tenant, bounds=less, excess=Excess.KEEP)
    assert pool_of(cohort) == (1, 2, 1)


def test_a_quota_below_what_is_held_needs_the_choice_to_keep_it(
    tenant: Tenant, owner: User, platform_admin: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    with pytest.raises(Rejected) as refused:
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=1), "pods": Bounds(nominal=9)})
    assert list(refused.value.fields) == ["gpus", "excess"]
    assert (line_of(tenant), line_of(tenant, "pods")) == ((4, 3, 0), (50, 1, 0))
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=1)}, excess=Excess.KEEP)
    assert line_of(tenant) == (1, 3, 2)


@pytest.mark.parametrize(
    ("key", "bounds", "says"),
    [
        ("warp_cores", Bounds(nominal=1), "no such resource type"),
        ("gpus", Bounds(nominal=-1), "from 0 to"),
        ("gpus", Bounds(nominal=2**62), "from 0 to"),
        ("gpus", Bounds(nominal=1, borrow_limit=2**62), "from 0 to"),
        ("gpus", Bounds(nominal=1, lend_limit=2), "at most its nominal quota"),
    ],
)
def test_bounds_that_cannot_be_get_a_message_and_change_nothing(
    cohort: Cohort, tenant: Tenant, platform_admin: User, key: str, bounds: Bounds, says: str
) -> None:
    with pytest.raises(Rejected) as refused:
        quota_set(actor=platform_admin, tenant=tenant, bounds={"pods": Bounds(nominal=9), key: bounds})
    assert [(name, says in str(texts[0])) for name, texts in refused.value.fields.items()] == [(key, True)]
    assert line_of(tenant, "pods") == (50, 0, 0)


def test_without_a_cohort_nothing_is_lent_or_borrowed(tenant: Tenant, platform_admin: User) -> None:
    with pytest.raises(Rejected) as refused:
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, borrow_limit=1)})
    assert "in a cohort" in str(refused.value.fields["gpus"][0])


@pytest.mark.parametrize(("who", "error"), [("tenant_admin", Denied), ("auditor", Denied), ("outsider", NotVisible)])
def test_others_set_no_quotas_and_no_cohorts(
    request: pytest.FixtureRequest, tenant: Tenant, who: str, error: type[Exception]
) -> None:
    actor = request.getfixturevalue(who)
    with pytest.raises(error):
        quota_set(actor=actor, tenant=tenant, bounds={"gpus": Bounds(nominal=1)})
    with pytest.raises(error):
        cohort_of_tenant_set(actor=actor, tenant=tenant, cohort=None)
    with pytest.raises(Denied):
        cohort_create(actor=actor, name="mine")


def test_who_leaves_a_cohort_that_it_borrows_from_keeps_what_runs_only_by_choice(
    cohort: Cohort, tenant: Tenant, owner: User, platform_admin: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    admit(make_workload(tenant, owner, gpus=5))
    with pytest.raises(Rejected) as refused:
        cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=None)
    assert list(refused.value.fields) == ["cohort"]
    assert pool_of(cohort) == (3, 1, 0)
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=None, keep=True)
    tenant.refresh_from_db()
    assert (tenant.cohort, line_of(tenant), pool_of(cohort)) == (None, (4, 5, 1), (3, 0, 0))


def test_a_tenant_goes_from_one_cohort_to_another_in_one_step(
    cohort: Cohort, tenant: Tenant, owner: User, platform_admin: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    admit(make_workload(tenant, owner, gpus=5))
    second = cohort_create(actor=platform_admin, name="teaching")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=second, keep=True)
    assert (pool_of(cohort), pool_of(second)) == ((3, 0, 0), (0, 1, 1))
    assert used_by(tenant)["gpus"] == 5


def test_a_cohort_with_tenants_is_not_deleted_and_an_empty_one_is(
    cohort: Cohort, tenant: Tenant, other_tenant: Tenant, platform_admin: User
) -> None:
    with pytest.raises(Conflict):
        cohort_delete(actor=platform_admin, cohort=cohort)
    for member in (tenant, other_tenant):
        cohort_of_tenant_set(actor=platform_admin, tenant=member, cohort=None)
    cohort_delete(actor=platform_admin, cohort=cohort)
    assert not Cohort.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "x" * 121, "research"])
def test_a_cohort_s_name_is_given_short_and_its_own(cohort: Cohort, platform_admin: User, name: str) -> None:
    with pytest.raises(Rejected) as refused:
        cohort_create(actor=platform_admin, name=name)
    assert list(refused.value.fields) == ["name"]


def test_what_was_done_is_told_in_words(cohort: Cohort, tenant: Tenant, platform_admin: User) -> None:
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=3, borrow_limit=1, lend_limit=2)})
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=None)
    told = [sentence(entry) for entry in AuditEntry.objects.filter(tenant_id=tenant.pk).order_by("id")]
    assert told == [
        "root-admin brought the tenant into the cohort research",
        "root-admin changed GPU limit: 4 → 4, may borrow 2",
        "root-admin changed GPU limit: 4, may borrow 2 → 3, may borrow 1, lends 2",
        "root-admin took the tenant out of its cohort",
    ]


def test_the_same_again_changes_nothing(cohort: Cohort, tenant: Tenant, platform_admin: User) -> None:
    tenant.refresh_from_db()
    generation, entries = tenant.generation, AuditEntry.objects.count()
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, borrow_limit=2)})
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    tenant.refresh_from_db()
    assert (tenant.generation, AuditEntry.objects.count()) == (generation, entries)


@pytest.mark.parametrize("change", [{"used": 5}, {"lend_limit": 5}])
def test_the_database_itself_refuses_a_line_beyond_its_bounds(tenant: Tenant, change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(**change)


def test_the_database_itself_refuses_a_pool_beyond_its_bounds(cohort: Cohort) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(used=4)


def test_new_bounds_reach_the_cluster(cohort: Cohort, tenant: Tenant) -> None:
    tenant.refresh_from_db()
    before = tenant.generation
    set_limits(tenant, gpus=7)
    tenant.refresh_from_db()
    assert tenant.generation == before + 1
