"""Two administrators confirm at the same moment: one is told that things changed, and nothing is half written."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from portal.core.errors import Conflict
from portal.core.models import User
from tenants.models import QuotaLine, Tenant
from tenants.quotabulk import quotas_preview, quotas_set
from tenants.quotaservices import cohort_create, cohort_of_tenant_set
from workloads.ledgercheck import differences

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 10


def together(works: list[Callable[[], object]]) -> list[BaseException | None]:
    """Do these at the same time, each with a connection of its own; return what each ended with."""
    go = threading.Barrier(len(works))

    def start(work: Callable[[], object]) -> object:
        try:
            go.wait(30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.exception() for future in [pool.submit(start, work) for work in works]]


def test_of_two_who_looked_at_the_same_one_sets_and_the_other_is_told(
    platform_admin: User, make_user: Callable[..., User], make_tenant: Callable[..., Tenant]
) -> None:
    admins = [platform_admin, make_user("second-admin", platform_role="admin")]
    cohort = cohort_create(actor=platform_admin, name="research")
    slugs = [make_tenant(f"t{number}").slug for number in range(6)]
    for member in Tenant.objects.filter(slug__in=slugs):
        cohort_of_tenant_set(actor=platform_admin, tenant=member, cohort=cohort)
    for turn in range(ROUNDS):
        # In opposite orders, so that locks taken as the lines come would meet halfway.
        orders = [slugs, slugs[::-1]]
        wanted = [
            {(slug, "gpus"): {"nominal": 10 + 2 * turn + number, "lend_limit": turn + 1} for slug in order}
            for number, order in enumerate(orders)
        ]
        seen = [quotas_preview(actor=admin, wanted=each).version for admin, each in zip(admins, wanted, strict=True)]
        ended = together(
            [partial(quotas_set, actor=admins[n], wanted=wanted[n], seen=seen[n]) for n in range(len(admins))]
        )
        assert [type(error) for error in ended if error] == [Conflict]
        nominal = set(QuotaLine.objects.filter(type__key="gpus").values_list("nominal", flat=True))
        assert nominal == {10 + 2 * turn + next(n for n, error in enumerate(ended) if error is None)}
        assert differences() == []
