"""What the database ends for a deadlock is tried again; everything else, and the fourth failure, is told."""

from collections.abc import Callable, Iterator

import pytest
from django.db import OperationalError, connection, transaction
from django.test import Client

from portal.core.models import User
from portal.core.transactions import MOST_RETRIES, retried
from tenants.ledger import Bounds
from tenants.models import QuotaLine, Tenant
from tenants.quotaservices import quota_set
from tests import dbfaults
from workloads.models import Workload

pytestmark = pytest.mark.django_db(transaction=True)
Fail = Callable[[str, int, str], None]


@pytest.fixture
def fail(db: None) -> Iterator[Fail]:
    """Have the first writes to a table end with an error of this SQLSTATE, as a deadlock's victim does."""
    with connection.cursor() as cursor:
        yield lambda table, times, sqlstate: dbfaults.begin(
            cursor.execute, table, fails=f"CASE WHEN n <= {times} THEN '{sqlstate}' END"
        )
        dbfaults.end(cursor.execute, "tenants_quotaline", "workloads_workload")


@pytest.mark.parametrize("sqlstate", ["40P01", "40001"])
def test_a_change_of_quota_survives_three_deadlocks(
    fail: Fail, platform_admin: User, tenant: Tenant, sqlstate: str
) -> None:
    fail("tenants_quotaline", MOST_RETRIES, sqlstate)
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=7)})
    assert QuotaLine.objects.get(tenant=tenant, type__key="gpus").nominal == 7


def test_the_fourth_deadlock_is_told_and_nothing_is_half_written(
    fail: Fail, platform_admin: User, tenant: Tenant
) -> None:
    fail("tenants_quotaline", MOST_RETRIES + 1, "40P01")
    with pytest.raises(OperationalError):
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=7)})
    assert QuotaLine.objects.get(tenant=tenant, type__key="gpus").nominal == 4


def test_a_submission_in_the_browser_that_meets_deadlocks_is_queued_once(
    fail: Fail, client_of: Callable[[User], Client], owner: User, tenant: Tenant
) -> None:
    fail("workloads_workload", MOST_RETRIES, "40P01")
    body = {
        "name": "hello",
        "image": "img:1",
        "command": ["true"],
        "resources": {"cpu_millicores": 100, "memory_mib": 64},
    }
    answer = client_of(owner).post("/api/v1/tenants/vision/workloads/", body, content_type="application/json")
    assert (answer.status_code, Workload.objects.count()) == (201, 1)


def test_other_errors_are_not_tried_again() -> None:
    calls: list[int] = []

    @retried
    def work() -> None:
        calls.append(1)
        raise OperationalError("the server closed the connection")

    with pytest.raises(OperationalError):
        work()
    assert len(calls) == 1


def test_of_calls_within_each_other_only_the_outer_one_is_repeated() -> None:
    calls: list[int] = []

    @retried
    def work() -> None:
        calls.append(1)
        with connection.cursor() as cursor:
            cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '40P01'; END $$")

    with pytest.raises(OperationalError):
        retried(work)()
    assert len(calls) == 1 + MOST_RETRIES


def test_inside_the_transaction_of_another_nothing_is_tried_again(
    fail: Fail, platform_admin: User, tenant: Tenant
) -> None:
    fail("tenants_quotaline", 1, "40P01")
    with pytest.raises(OperationalError), transaction.atomic():
        quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=7)})
