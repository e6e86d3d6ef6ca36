"""Quotas of many tenants at once: the preview says what the change then does, and a change is whole or not at all."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.core.errors import Conflict, Denied, Rejected
from portal.core.models import AuditEntry, User
from tenants.ledger import Bounds
from tenants.models import Cohort, PoolLine, QuotaLine, Tenant
from tenants.quotabulk import LinesRejected, Preview, Wanted, quotas_preview, quotas_set
from tenants.quotaservices import cohort_of_tenant_set, quota_set
from tenants.specs import Excess
from workloads.ledgercheck import differences
from workloads.models import Attempt, Workload
from workloads.specs import State

pytestmark = pytest.mark.django_db
Admit = Callable[..., Attempt]
MakeWorkload = Callable[..., Workload]


@pytest.fixture
def cohort(cohort: Cohort, platform_admin: User, tenant: Tenant, other_tenant: Tenant) -> Cohort:
    """A cohort of `tenant`, which may borrow two GPUs, and `other_tenant`, which lends three of four."""
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, borrow_limit=2)})
    quota_set(actor=platform_admin, tenant=other_tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=3)})
    return cohort


def stored() -> list[tuple[int, ...]]:
    lines = QuotaLine.objects.order_by("pk").values_list("nominal", "borrow_limit", "lend_limit", "used", "overhang")
    pools = PoolLine.objects.order_by("pk").values_list("lendable", "used", "overhang")
    return [*lines, *pools]


def told(preview: Preview) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = [
        (line.tenant.slug, line.type.key, line.before, line.after) for line in preview.lines
    ]
    return lines + [(pool.cohort, pool.type.key, pool.before, pool.after) for pool in preview.pools]


def test_a_preview_writes_nothing_and_the_change_does_what_it_said(
    cohort: Cohort, tenant: Tenant, other_tenant: Tenant, platform_admin: User
) -> None:
    wanted = {
        ("vision", "gpus"): {"nominal": 6},
        ("speech", "gpus"): {"lend_limit": 1},
        ("speech", "pods"): {"nominal": 9},
    }
    before, entries = stored(), AuditEntry.objects.count()
    preview = quotas_preview(actor=platform_admin, wanted=wanted)
    assert (stored(), AuditEntry.objects.count()) == (before, entries)
    done = quotas_set(actor=platform_admin, wanted=wanted, seen=preview.version)
    assert told(done) == told(preview)
    assert [(pool.before.lendable, pool.after.lendable) for pool in preview.pools] == [(3, 1)]
    assert QuotaLine.objects.get(tenant=tenant, type__key="gpus").nominal == 6
    assert PoolLine.objects.get(cohort=cohort, type__key="gpus").lendable == 1
    assert AuditEntry.objects.count() == entries + 2
    assert differences() == []


def test_what_is_set_already_is_no_change(cohort: Cohort, platform_admin: User) -> None:
    preview = quotas_preview(actor=platform_admin, wanted={("vision", "gpus"): {"nominal": 4, "borrow_limit": 2}})
    assert (preview.lines, preview.pools) == ([], [])


def test_a_type_that_a_tenant_had_nothing_of_gets_its_first_quota(
    cohort: Cohort, tenant: Tenant, platform_admin: User
) -> None:
    QuotaLine.objects.filter(type__key="pods").delete()
    quotas_set(actor=platform_admin, wanted={("vision", "pods"): {"nominal": 9, "lend_limit": 2}})
    assert QuotaLine.objects.get(tenant=tenant, type__key="pods").nominal == 9
    assert PoolLine.objects.get(cohort=cohort, type__key="pods").lendable == 2


@pytest.mark.parametrize(
    ("line", "bounds", "at"),
    [
        (("nobodys", "gpus"), {"nominal": 1}, "tenant"),
        (("speech", "warp_cores"), {"nominal": 1}, "type"),
        (("speech", "gpus"), {"nominal": -1}, "nominal"),
        (("speech", "gpus"), {"nominal": 2**63}, "nominal"),
        (("speech", "gpus"), {"borrow_limit": 10**30}, "borrow_limit"),
        (("speech", "gpus"), {"lend_limit": 5}, "lend_limit"),
        (("speech", "gpus"), {"nominal": 2}, "lend_limit"),
        (("alone", "gpus"), {"borrow_limit": 1}, "borrow_limit"),
        (("alone", "gpus"), {"lend_limit": 1}, "lend_limit"),
    ],
)
def test_one_bad_line_stops_all_and_is_told_at_its_bound(
    cohort: Cohort,
    platform_admin: User,
    make_tenant: Callable[..., Tenant],
    line: tuple[str, str],
    bounds: dict[str, int],
    at: str,
) -> None:
    make_tenant("alone")
    before = stored()
    wanted: Wanted = {("vision", "gpus"): {"nominal": 9}, line: bounds}
    for ask in (quotas_preview, quotas_set):
        with pytest.raises(LinesRejected) as found:
            ask(actor=platform_admin, wanted=wanted)
        assert {where: list(texts) for where, texts in found.value.lines.items()} == {line: [at]}
    assert stored() == before


def test_below_what_is_held_the_choice_to_keep_it_must_be_said(
    tenant: Tenant, owner: User, platform_admin: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    admit(make_workload(tenant, owner, gpus=3))
    wanted = {("vision", "gpus"): {"nominal": 1}, ("vision", "pods"): {"nominal": 9}}
    before, preview = stored(), quotas_preview(actor=platform_admin, wanted=wanted)
    assert [(line.type.key, line.kept) for line in preview.excessive] == [("gpus", 2)]
    with pytest.raises(LinesRejected) as refused:
        quotas_set(actor=platform_admin, wanted=wanted, seen=preview.version)
    assert [list(texts) for texts in refused.value.lines.values()] == [["excess"]]
    assert stored() == before
    quotas_set(actor=platform_admin, wanted=wanted, seen=preview.version, excess=Excess.KEEP)
    line = QuotaLine.objects.get(tenant=tenant, type__key="gpus")
    assert (line.nominal, line.used, line.overhang) == (1, 3, 2)


def test_what_is_beyond_is_stopped_in_every_tenant_and_nowhere_else(
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    platform_admin: User,
    make_workload: MakeWorkload,
    admit: Admit,
) -> None:
    quotas_set(actor=platform_admin, wanted={("speech", "gpus"): {"nominal": 4}, ("vision", "gpus"): {"nominal": 4}})
    held = {
        (slug, n): admit(make_workload(place, owner, gpus=1))
        for slug, place in (("vision", tenant), ("speech", other_tenant))
        for n in range(3)
    }
    wanted = {("vision", "gpus"): {"nominal": 1}, ("speech", "gpus"): {"nominal": 2}}
    newest = [held["vision", 2], held["vision", 1], held["speech", 2]]
    preview = quotas_preview(actor=platform_admin, wanted=wanted)
    assert {each.id for each in preview.stops} == {each.workload_id for each in newest}
    assert not Workload.objects.filter(state=State.QUEUED).exists()
    done = quotas_set(actor=platform_admin, wanted=wanted, seen=preview.version, excess=Excess.DRAIN)
    assert done.stops == preview.stops
    assert set(Workload.objects.filter(state=State.QUEUED)) == {each.workload for each in newest}
    told = {entry.tenant_id: (entry.after or {})["stopped"] for entry in AuditEntry.objects.order_by("-id")[:2]}
    assert {slug: len(told[place.pk]) for slug, place in (("v", tenant), ("s", other_tenant))} == {"v": 2, "s": 1}
    assert differences() == []


def test_what_others_have_borrowed_is_not_stopped_by_a_drain_of_who_lends(
    cohort: Cohort, tenant: Tenant, owner: User, platform_admin: User, make_workload: MakeWorkload, admit: Admit
) -> None:
    attempt = admit(make_workload(tenant, owner, gpus=6))
    wanted = {("speech", "gpus"): {"lend_limit": 0}}
    assert quotas_preview(actor=platform_admin, wanted=wanted).stops == []
    quotas_set(actor=platform_admin, wanted=wanted, excess=Excess.DRAIN)
    attempt.workload.refresh_from_db()
    assert attempt.workload.state == State.STARTING
    assert PoolLine.objects.get(cohort=cohort, type__key="gpus").overhang == 2


def test_lending_less_needs_the_choice_unless_another_lends_more_in_the_same_step(
    cohort: Cohort,
    tenant: Tenant,
    owner: User,
    platform_admin: User,
    make_workload: MakeWorkload,
    admit: Admit,
    make_tenant: Callable[..., Tenant],
) -> None:
    cohort_of_tenant_set(actor=platform_admin, tenant=make_tenant("sound"), cohort=cohort)
    admit(make_workload(tenant, owner, gpus=6))
    less = {("speech", "gpus"): {"lend_limit": 0}}
    excessive = quotas_preview(actor=platform_admin, wanted=less).excessive
    assert [(line.tenant.slug, line.kept_in_cohort) for line in excessive] == [("speech", 2)]
    with pytest.raises(LinesRejected):
        quotas_set(actor=platform_admin, wanted=less)
    quotas_set(actor=platform_admin, wanted={**less, ("sound", "gpus"): {"lend_limit": 2}})
    assert PoolLine.objects.get(cohort=cohort, type__key="gpus").overhang == 0
    assert differences() == []


@pytest.mark.parametrize("what", ["bounds", "cohort"])
def test_a_change_that_was_looked_at_before_another_one_is_refused(
    cohort: Cohort, tenant: Tenant, platform_admin: User, what: str
) -> None:
    wanted = {("vision", "gpus"): {"nominal": 8}}
    seen = quotas_preview(actor=platform_admin, wanted=wanted).version
    if what == "bounds":
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=5, borrow_limit=2)})
    else:
        cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=None)
    before = stored()
    with pytest.raises(Conflict):
        quotas_set(actor=platform_admin, wanted=wanted, seen=seen)
    assert stored() == before


@pytest.mark.parametrize("who", ["tenant_admin", "auditor", "outsider"])
def test_only_a_platform_admin_looks_and_sets(request: pytest.FixtureRequest, tenant: Tenant, who: str) -> None:
    actor, wanted = request.getfixturevalue(who), {("vision", "gpus"): {"nominal": 1}}
    with pytest.raises(Denied):
        quotas_preview(actor=actor, wanted=wanted)
    with pytest.raises(Denied):
        quotas_set(actor=actor, wanted=wanted)


def test_more_lines_than_may_change_at_once_are_refused(platform_admin: User) -> None:
    wanted = {(f"t{number}", "gpus"): {"nominal": 1} for number in range(20_001)}
    with pytest.raises(Rejected) as refused:
        quotas_set(actor=platform_admin, wanted=wanted)
    assert list(refused.value.fields) == [""]


def test_a_change_costs_the_same_few_statements_however_many_it_is_of(
    cohort: Cohort, platform_admin: User, make_tenant: Callable[..., Tenant]
) -> None:
    def statements(slugs: list[str], nominal: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            quotas_set(actor=platform_admin, wanted={(slug, "gpus"): {"nominal": nominal} for slug in slugs})
        return len(seen)

    slugs = [make_tenant(f"t{number}", cohort=cohort).slug for number in range(12)]
    assert statements(slugs, 6) == statements(slugs[:2], 7) <= 16
