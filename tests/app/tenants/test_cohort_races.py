"""A cohort is removed while a tenant joins it: whoever comes second is told so, and nothing breaks."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from portal.core.errors import Conflict, NotVisible, Rejected
from portal.core.models import User
from tenants.models import Cohort, Tenant
from tenants.quotaservices import cohort_create, cohort_delete, cohort_of_tenant_set
from tests.plugins.polling import until

pytestmark = pytest.mark.django_db(transaction=True)
_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"


@pytest.fixture
def cohort(platform_admin: User) -> Cohort:
    return cohort_create(actor=platform_admin, name="research")


def second(first: Callable[[], object], then: Callable[[], object]) -> Future[object]:
    """Do one thing, and another that comes before its commit; return the outcome of the other."""

    def start() -> object:
        try:
            return then()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            outcome = pool.submit(start)
            until("the other waits or ends", lambda: outcome.done() or _waits_for_this(), timeout_s=20)
        return outcome


def _waits_for_this() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        return bool(cursor.fetchone()[0])


def test_a_cohort_that_a_tenant_joined_a_moment_ago_stays(cohort: Cohort, tenant: Tenant, platform_admin: User) -> None:
    outcome = second(
        lambda: cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort),
        lambda: cohort_delete(actor=platform_admin, cohort=cohort),
    )
    assert isinstance(outcome.exception(), Conflict)
    assert list(Tenant.objects.filter(cohort=cohort)) == [tenant]


def test_a_cohort_that_was_removed_a_moment_ago_is_not_joined(
    cohort: Cohort, tenant: Tenant, platform_admin: User
) -> None:
    outcome = second(
        lambda: cohort_delete(actor=platform_admin, cohort=Cohort.objects.get(pk=cohort.pk)),
        lambda: cohort_of_tenant_set(actor=platform_admin, tenant=tenant, cohort=cohort),
    )
    error = outcome.exception()
    assert isinstance(error, Rejected)
    assert list(error.fields) == ["cohort"]
    tenant.refresh_from_db()
    assert tenant.cohort_id is None


def test_a_cohort_is_removed_once(cohort: Cohort, platform_admin: User) -> None:
    outcome = second(
        lambda: cohort_delete(actor=platform_admin, cohort=Cohort.objects.get(pk=cohort.pk)),
        lambda: cohort_delete(actor=platform_admin, cohort=cohort),
    )
    assert isinstance(outcome.exception(), NotVisible)
