"""Quota comes back exactly once, and the check of the ledger finds what is wrong with it."""

import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from portal.core import leases
from portal.core.leases import LeaseLost
from portal.core.models import AuditEntry, User
from portal.kube.types import Container, ObjectMeta, Pod, PodSpec, PodStatus, ResourceAmounts
from tenants.ledger import Bounds, Pool
from tenants.models import PoolLine, QuotaLine, Tenant
from tenants.quotaservices import cohort_create, cohort_of_tenant_set, quota_set
from tests.quota import set_limits, used_by
from workloads.admission import QUEUE
from workloads.ledgercheck import Difference, cluster_differences, differences, repair
from workloads.models import Attempt, Workload
from workloads.settling import settle
from workloads.tasks import check_ledger

pytestmark = pytest.mark.django_db
Admit = Callable[..., Attempt]
MakeWorkload = Callable[..., Workload]


@pytest.fixture
def held(tenant: Tenant, owner: User, make_workload: MakeWorkload, admit: Admit) -> Attempt:
    """An attempt that holds two GPUs."""
    return admit(make_workload(tenant, owner, gpus=2))


def release(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(released_at=Now())


def test_what_was_released_comes_back_once_however_often_it_is_settled(tenant: Tenant, held: Attempt) -> None:
    assert settle() == 0
    assert used_by(tenant)["gpus"] == 2
    release(held)
    assert [settle(), settle()] == [1, 0]
    assert used_by(tenant) == {}


def test_a_settling_that_is_cut_short_gives_nothing_back_and_the_next_one_all(
    tenant: Tenant, held: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(held)

    def die(_name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("workloads.settling.failpoints.hit", die)
        with pytest.raises(KeyboardInterrupt):
            settle()
    assert used_by(tenant)["gpus"] == 2
    assert settle() == 1
    assert used_by(tenant) == {}


def test_an_overhang_shrinks_as_work_ends_and_the_cluster_is_told(tenant: Tenant, held: Attempt) -> None:
    set_limits(tenant, gpus=1)
    tenant.refresh_from_db()
    generation = tenant.generation
    release(held)
    settle()
    tenant.refresh_from_db()
    line = QuotaLine.objects.get(tenant=tenant, type__key="gpus")
    assert (line.used, line.overhang, tenant.generation) == (0, 0, generation + 1)


def test_a_holder_whose_lease_has_gone_settles_nothing(tenant: Tenant, held: Attempt) -> None:
    lease = leases.acquire(QUEUE, "test")
    assert lease is not None
    leases.release(lease)
    release(held)
    with pytest.raises(LeaseLost):
        settle(lease)
    assert used_by(tenant)["gpus"] == 2


def test_a_row_that_says_less_than_is_held_stops_nobody_and_the_check_still_says_what_is_wrong(
    tenant: Tenant,
    other_tenant: Tenant,
    held: Attempt,
    owner: User,
    make_workload: MakeWorkload,
    admit: Admit,
    caplog: pytest.LogCaptureFixture,
) -> None:
    beside = admit(make_workload(tenant, owner, gpus=1))
    elsewhere = admit(make_workload(other_tenant, owner, gpus=3))
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=1)  # of 3 held
    release(held)
    release(elsewhere)
    assert settle() == 2
    assert (used_by(other_tenant), used_by(tenant)) == ({}, {"cpu_millicores": 100, "memory_mib": 64, "pods": 1})
    assert [record.levelname for record in caplog.records if "ledger_says_less" in record.getMessage()] == ["ERROR"]
    assert differences() == [Difference("vision", "gpus", "used", 0, 1)]
    release(beside)
    assert settle() == 1
    assert (used_by(tenant), differences()) == ({}, [])


def test_a_pool_that_says_less_than_is_used_of_it_stops_nobody_either(
    tenant: Tenant, held: Attempt, platform_admin: User, caplog: pytest.LogCaptureFixture
) -> None:
    cohort = cohort_create(actor=platform_admin, name="research")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=4)})
    PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(used=1)  # of 2
    release(held)
    assert settle() == 1
    assert [record.levelname for record in caplog.records if "ledger_says_less" in record.getMessage()] == ["ERROR"]
    assert (used_by(tenant), PoolLine.objects.get(cohort=cohort, type__key="gpus").used, differences()) == ({}, 0, [])


def test_what_is_held_of_a_type_without_a_row_stops_nobody(tenant: Tenant, held: Attempt) -> None:
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").delete()
    release(held)
    assert settle() == 1
    assert (used_by(tenant), differences()) == ({}, [])


def test_the_check_finds_nothing_where_all_is_as_it_must_be(tenant: Tenant, held: Attempt) -> None:
    assert differences() == []
    release(held)
    assert differences() == []
    settle()
    assert differences() == []


def test_the_check_says_whose_row_differs_in_what(tenant: Tenant, held: Attempt) -> None:
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=3)
    QuotaLine.objects.filter(tenant=tenant, type__key="pods").update(overhang=7)
    assert differences() == [Difference("vision", "gpus", "used", 3, 2), Difference("vision", "pods", "overhang", 7, 0)]


def test_the_check_says_what_is_held_without_a_row(tenant: Tenant, held: Attempt) -> None:
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").delete()
    assert differences() == [Difference(str(tenant.pk), "gpus", "line", 0, 2)]


def test_the_check_says_which_pool_differs(tenant: Tenant, held: Attempt, platform_admin: User) -> None:
    cohort = cohort_create(actor=platform_admin, name="research")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    assert differences() == []
    PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(lendable=5)
    assert differences() == [Difference("research", "gpus", "lendable", 5, 0)]


def pod_of(attempt: Attempt, *, gpus: int, phase: str = "Running") -> Pod:
    asked = ResourceAmounts(requests={"cpu": "100m", "memory": "64Mi", "nvidia.com/gpu": str(gpus)})
    annotations = {"berth.dev/uid": str(attempt.pk)}
    return Pod(
        metadata=ObjectMeta(name=f"pod-{gpus}", namespace="berth-vision", annotations=annotations),
        spec=PodSpec(containers=(Container(name="main", resources=asked),)),
        status=PodStatus(phase=phase),
    )


def test_pods_that_ask_no_more_than_the_ledger_says_are_no_difference(tenant: Tenant, held: Attempt) -> None:
    assert cluster_differences([pod_of(held, gpus=2)]) == []
    assert cluster_differences([pod_of(held, gpus=2), pod_of(held, gpus=2, phase="Succeeded")]) == []
    assert cluster_differences([]) == []


def test_pods_that_ask_more_than_the_ledger_says_are_named(tenant: Tenant, held: Attempt) -> None:
    assert cluster_differences([pod_of(held, gpus=3)]) == [Difference("berth-vision", "gpus", "cluster", 2, 3)]


def test_a_live_pod_of_an_attempt_that_gave_its_quota_back_is_named(tenant: Tenant, held: Attempt) -> None:
    release(held)
    settle()
    found = cluster_differences([pod_of(held, gpus=2)])
    assert found[0] == Difference("berth-vision", "pod-2", "pod of a settled attempt", 0, 1)


@pytest.mark.django_db(transaction=True)
def test_what_the_check_on_beat_s_clock_finds_is_kept_for_admins_and_auditors(
    tenant: Tenant, held: Attempt, platform_admin: User, auditor: User, owner: User, client_of: Callable[[User], Client]
) -> None:
    admin, reads = client_of(platform_admin), client_of(auditor)
    assert "the first time is still to come" in admin.get("/cohorts/").content.decode()
    assert reads.get("/api/v1/ledger/check/").json() == {"checked_at": None, "differences": []}
    check_ledger()
    assert "Every sum is what" in admin.get("/cohorts/").content.decode()
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=3)
    check_ledger()
    fault = {"owner": "vision", "key": "gpus", "what": "used", "said": 3, "counted": 2}
    assert reads.get("/api/v1/ledger/check/").json()["differences"] == [fault]
    assert "report it as a fault of Berth" in admin.get("/cohorts/").content.decode()
    assert client_of(owner).get("/api/v1/ledger/check/").status_code == 403


def test_beat_has_the_ledger_checked(settings: Any) -> None:
    assert check_ledger.name in [entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()]


@pytest.mark.django_db(transaction=True)
def test_the_command_says_every_difference_and_fails(tenant: Tenant, held: Attempt) -> None:
    said = StringIO()
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=4)
    with pytest.raises(CommandError):
        call_command("ledger", "check", "--rows-only", stdout=said)
    assert said.getvalue() == "vision gpus used: says 4, counted 2\n1 differences\n"


@pytest.mark.django_db(transaction=True)
def test_the_command_puts_lines_and_pools_right_and_the_audit_trail_keeps_what_they_said(
    tenant: Tenant, held: Attempt, platform_admin: User
) -> None:
    cohort = cohort_create(actor=platform_admin, name="research")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=3)})
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=0)
    QuotaLine.objects.filter(tenant=tenant, type__key="pods").delete()
    PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(used=0, lendable=1)
    said = StringIO()
    call_command("ledger", "repair", "--rows-only", stdout=said)
    assert "put right: vision gpus used: says 0, counted 2\n" in said.getvalue()
    assert "put right: research gpus lendable: says 1, counted 3\n" in said.getvalue()
    assert said.getvalue().endswith("\n0 differences\n")
    pool = PoolLine.objects.get(cohort=cohort, type__key="gpus").pool
    assert (used_by(tenant)["gpus"], used_by(tenant)["pods"], pool) == (2, 1, Pool(lendable=3, used=1))
    [entry] = AuditEntry.objects.filter(action="ledger.repair")
    fault = {"owner": "vision", "key": "gpus", "what": "used", "said": 0, "counted": 2}
    assert entry.before is not None
    assert fault in entry.before["differences"]
    release(held)
    assert settle() == 1
    assert differences() == []


@pytest.mark.django_db(transaction=True)
def test_what_is_held_above_the_limit_becomes_an_overhang_when_it_is_put_right(
    tenant: Tenant, held: Attempt, platform_admin: User
) -> None:
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=0, nominal=1, overhang=0)
    repair()
    line = QuotaLine.objects.get(tenant=tenant, type__key="gpus")
    assert (line.used, line.overhang, differences()) == (2, 1, [])
    before = tenant.generation
    tenant.refresh_from_db()
    assert tenant.generation > before


@pytest.mark.django_db(transaction=True)
def test_where_nothing_differs_nothing_is_put_right_and_nothing_recorded(tenant: Tenant, held: Attempt) -> None:
    assert repair() == []
    assert not AuditEntry.objects.filter(action="ledger.repair").exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("says", [{"used": 0}, {"lendable": 2}, {"used": 0, "lendable": 0}])
def test_bounds_can_be_changed_while_a_pool_says_too_little_and_put_right_afterwards(
    tenant: Tenant, held: Attempt, platform_admin: User, says: dict[str, int]
) -> None:
    cohort = cohort_create(actor=platform_admin, name="research")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=4)})
    PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(**says)  # 2 of 4
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=3)})
    repair()
    assert differences() == []


@pytest.mark.django_db(transaction=True)
def test_bounds_can_be_changed_again_after_a_pool_that_said_too_little_was_put_right(
    tenant: Tenant, held: Attempt, platform_admin: User
) -> None:
    cohort = cohort_create(actor=platform_admin, name="research")
    cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=4)})
    PoolLine.objects.filter(cohort=cohort, type__key="gpus").update(used=0)  # of 2
    repair()
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4)})
    pool = PoolLine.objects.get(cohort=cohort, type__key="gpus").pool
    assert (pool, differences()) == (Pool(), [])


def test_an_unknown_pod_is_no_reason_to_stop(tenant: Tenant) -> None:
    stranger = Pod(
        metadata=ObjectMeta(name=str(uuid.uuid4()), namespace="berth-vision"), status=PodStatus(phase="Running")
    )
    assert cluster_differences([stranger]) == [Difference("berth-vision", "pods", "cluster", 0, 1)]
