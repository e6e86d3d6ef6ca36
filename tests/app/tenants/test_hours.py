"""The history of the ledger: samples within an hour, gaps that stay gaps, what is forgotten, what the page shows."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.core.models import User
from tenants import hours
from tenants.models import QuotaHour, QuotaLine, Tenant
from tenants.selectors import quota_pairs
from tests.quota import set_limits

pytestmark = pytest.mark.django_db
HOUR = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)


def used(tenant: Tenant, gpus: int) -> None:
    QuotaLine.objects.filter(tenant=tenant, type__key="gpus").update(used=gpus)


def gpu_hours(tenant: Tenant) -> list[tuple[dt.datetime, int, int, int, int]]:
    rows = QuotaHour.objects.filter(tenant=tenant, type__key="gpus").order_by("hour")
    return list(rows.values_list("hour", "nominal", "used_sum", "used_max", "samples"))


def test_samples_of_an_hour_become_one_row_of_sum_and_most(tenant: Tenant) -> None:
    for minute, gpus in ((0, 1), (5, 4), (59, 2)):
        used(tenant, gpus)
        hours.sample(now=HOUR + dt.timedelta(minutes=minute))
    assert gpu_hours(tenant) == [(HOUR, 4, 7, 4, 3)]


def test_a_sample_taken_twice_within_five_minutes_counts_once(tenant: Tenant) -> None:
    used(tenant, 2)
    hours.sample(now=HOUR + dt.timedelta(minutes=6))
    assert hours.sample(now=HOUR + dt.timedelta(minutes=9)) == 0
    assert gpu_hours(tenant) == [(HOUR, 4, 2, 2, 1)]


def test_an_hour_that_nobody_sampled_is_absent(tenant: Tenant) -> None:
    hours.sample(now=HOUR)
    hours.sample(now=HOUR + dt.timedelta(hours=3))
    assert [row[0] for row in gpu_hours(tenant)] == [HOUR, HOUR + dt.timedelta(hours=3)]


def test_the_limit_is_that_of_the_last_sample(tenant: Tenant) -> None:
    hours.sample(now=HOUR)
    set_limits(tenant, gpus=8)
    hours.sample(now=HOUR + dt.timedelta(minutes=10))
    assert gpu_hours(tenant)[0][1] == 8


def test_types_without_quota_and_use_have_no_rows(tenant: Tenant) -> None:
    set_limits(tenant, gpus=0)
    hours.sample(now=HOUR)
    assert gpu_hours(tenant) == []


def test_hours_older_than_is_kept_are_forgotten_in_bounded_deletes(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for days in (0, 399, 401, 402):
        hours.sample(now=now - dt.timedelta(days=days))
    each = len({row.type_id for row in QuotaHour.objects.all()})
    monkeypatch.setattr(hours, "MOST_FORGOTTEN", each)
    assert [hours.forget() for _ in range(3)] == [each, each, 0]
    assert len(gpu_hours(tenant)) == 2


def test_nothing_is_forgotten_where_all_is_kept(tenant: Tenant, settings: Any) -> None:
    settings.QUOTA_HISTORY_DAYS = 0
    hours.sample(now=timezone.now() - dt.timedelta(days=5000))
    assert hours.forget() == 0


def test_the_last_thirty_days_come_in_stretches_of_six_hours(tenant: Tenant, owner: User) -> None:
    now = timezone.now()
    start = (now - dt.timedelta(days=2)).replace(hour=6, minute=0, second=0, microsecond=0)
    for hour, gpus in ((0, 1), (5, 3), (6, 4)):
        used(tenant, gpus)
        hours.sample(now=start + dt.timedelta(hours=hour))
    hours.sample(now=now - dt.timedelta(days=31))
    [row] = [row for row, _pair in quota_pairs(user=owner, tenant=tenant) if row.type.key == "gpus"]
    assert hours.stretches_of(row) == [
        hours.Stretch(start=start, hours=2, used=2.0, used_max=3, nominal=4),
        hours.Stretch(start=start + dt.timedelta(hours=6), hours=1, used=4.0, used_max=4, nominal=4),
    ]


def test_the_quota_page_draws_them_at_no_statement_more(
    tenant: Tenant, owner: User, client_of: Callable[[User], Client]
) -> None:
    client, counts = client_of(owner), []
    for days in (0, 1, 20):
        hours.sample(now=timezone.now() - dt.timedelta(days=days))
        with CaptureQueriesContext(connection) as seen:
            page = client.get("/tenants/vision/quota/").content.decode()
        counts.append(len(seen))
    assert page.count('class="usechart"') == 4
    assert "known since" in page
    assert max(counts) <= 6
