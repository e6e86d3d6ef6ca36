"""Pages of quotas and cohorts: who sees and changes what, and what the forms refuse."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import User
from tenants.ledger import Bounds
from tenants.models import Cohort, QuotaLine, Tenant
from tenants.quotaservices import quota_set
from tests.quota import limits_of
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def cohort(cohort: Cohort, platform_admin: User, tenant: Tenant, other_tenant: Tenant) -> Cohort:
    quota_set(actor=platform_admin, tenant=other_tenant, bounds={"gpus": Bounds(nominal=4, lend_limit=4)})
    quota_set(actor=platform_admin, tenant=tenant, bounds={"gpus": Bounds(nominal=4, borrow_limit=2)})
    return cohort


def form_of(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    """Return what the form of a tenant in a cohort posts."""
    rows = QuotaLine.objects.filter(tenant=tenant).select_related("type")
    units = {"memory_mib": " MiB"}
    values: dict[str, Any] = {"name": tenant.name, "priorities": tenant.priorities}
    for row in rows:
        for bound in ("nominal", "borrow_limit", "lend_limit"):
            amount = getattr(row, bound)
            text = f"{amount / 1000:g}" if row.type.key == "cpu_millicores" else str(amount)
            values[f"{row.type.key}-{bound}"] = text + units.get(row.type.key, "")
    return {**values, **changes}


@pytest.mark.parametrize(
    ("who", "see", "change", "cohorts"),
    [
        ("viewer", 200, 403, 403),
        ("tenant_admin", 200, 403, 403),
        ("auditor", 200, 403, 200),
        ("platform_admin", 200, 302, 200),
        ("outsider", 404, 404, 403),
    ],
)
def test_who_may_see_and_change_what(
    request: pytest.FixtureRequest,
    client_of: ClientOf,
    tenant: Tenant,
    who: str,
    see: int,
    change: int,
    cohorts: int,
) -> None:
    client = client_of(request.getfixturevalue(who))
    assert client.get("/tenants/vision/quota/").status_code == see
    assert client.post("/tenants/vision/cohort/", {"cohort": ""}).status_code == change
    assert client.get("/cohorts/").status_code == cohorts


def test_a_member_sees_what_is_used_borrowed_and_free(
    cohort: Cohort,
    tenant: Tenant,
    owner: User,
    client_of: ClientOf,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=5))
    page = client_of(owner).get("/tenants/vision/quota/").content.decode()
    assert "research" in page
    assert "GPUs: 5 of 4 held" in page
    assert "Set the cohort" not in page


def test_an_admin_sets_what_is_lent_and_borrowed(admin: Client, cohort: Cohort, tenant: Tenant) -> None:
    changed = form_of(tenant, **{"gpus-nominal": "3", "gpus-borrow_limit": "5", "gpus-lend_limit": "1"})
    assert admin.post("/tenants/vision/edit/", changed).status_code == 302
    line = QuotaLine.objects.get(tenant=tenant, type__key="gpus")
    assert (line.nominal, line.borrow_limit, line.lend_limit) == (3, 5, 1)


def test_saving_the_form_as_it_is_changes_nothing(admin: Client, cohort: Cohort, tenant: Tenant) -> None:
    tenant.refresh_from_db()
    before = tenant.generation
    assert admin.post("/tenants/vision/edit/", form_of(tenant)).status_code == 302
    tenant.refresh_from_db()
    assert tenant.generation == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpus-nominal", "-1"),
        ("gpus-nominal", "1.5"),
        ("gpus-nominal", "9" * 30),
        ("gpus-nominal", ""),
        ("gpus-lend_limit", "5"),
        ("memory_mib-nominal", "a lot"),
        ("cpu_millicores-borrow_limit", "-2"),
    ],
)
def test_bad_bounds_get_a_message_at_their_field_and_change_nothing(
    admin: Client, cohort: Cohort, tenant: Tenant, field: str, value: str
) -> None:
    before = limits_of(tenant)
    answer = admin.post("/tenants/vision/edit/", form_of(tenant, **{"pods-nominal": "7", field: value}))
    shown_at = "gpus-nominal" if field == "gpus-lend_limit" else field
    assert answer.status_code == 400
    assert f'id="id_{shown_at}_error"' in answer.content.decode()
    assert limits_of(tenant) == before


def test_a_limit_below_what_is_held_asks_whether_to_keep_it(
    admin: Client,
    cohort: Cohort,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=4))
    lower = form_of(tenant, **{"gpus-nominal": "1", "gpus-borrow_limit": "0"})
    refused = admin.post("/tenants/vision/edit/", lower)
    assert refused.status_code == 400
    assert "3 more than this is held now" in refused.content.decode()
    assert admin.post("/tenants/vision/edit/", {**lower, "excess": "keep"}).status_code == 302
    assert "3 above the limit, kept until its work ends" in admin.get("/tenants/vision/quota/").content.decode()


def test_a_tenant_is_brought_into_a_cohort_and_out_of_it(admin: Client, tenant: Tenant) -> None:
    admin.post("/cohorts/new/", {"name": "teaching"})
    made = Cohort.objects.get()
    assert admin.post("/tenants/vision/cohort/", {"cohort": str(made.pk)}).status_code == 302
    assert "vision" in admin.get("/cohorts/").content.decode()
    admin.post(f"/cohorts/{made.pk}/delete/")
    assert Cohort.objects.exists()
    admin.post("/tenants/vision/cohort/", {"cohort": ""})
    admin.post(f"/cohorts/{made.pk}/delete/")
    assert not Cohort.objects.exists()


@pytest.mark.parametrize("cohort_id", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_cohort_gets_a_message_at_its_field(admin: Client, tenant: Tenant, cohort_id: str) -> None:
    answer = admin.post("/tenants/vision/cohort/", {"cohort": cohort_id})
    assert answer.status_code == 400
    assert 'id="id_cohort_error"' in answer.content.decode()


@pytest.mark.parametrize("name", ["", "x" * 121, "research"])
def test_a_bad_name_of_a_cohort_gets_a_message_at_its_field(admin: Client, cohort: Cohort, name: str) -> None:
    answer = admin.post("/cohorts/new/", {"name": name})
    assert answer.status_code == 400
    assert 'id="id_name_error"' in answer.content.decode()


def test_the_pages_cost_the_same_few_statements_however_much_there_is(
    admin: Client, cohort: Cohort, make_tenant: Callable[..., Tenant]
) -> None:
    def statements(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert admin.get(path).status_code == 200
        return len(seen)

    paths = ("/tenants/vision/quota/", "/cohorts/", "/tenants/")
    few = [statements(path) for path in paths]
    for number in range(20):
        make_tenant(f"t{number}")
    Tenant.objects.update(cohort=cohort)
    assert [statements(path) for path in paths] == few
    assert max(few) <= 6
