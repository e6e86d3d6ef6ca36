"""The quota table of all tenants: who sees it, what it says, how it is narrowed, what it costs, and its file."""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gpu.models import Node
from portal.core.models import User
from tenants.ledger import Bounds
from tenants.models import Cohort, Tenant
from tenants.quotaservices import cohort_create, cohort_of_tenant_set, quota_set
from tenants.quotatable import Narrowing, QuotaTable, TableRow, quota_table
from tenants.typeservices import Draft, type_create
from tests.quota import set_limits
from workloads.models import Attempt, Workload

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User], Client]


@pytest.fixture
def cohort(platform_admin: User, tenant: Tenant, other_tenant: Tenant, make_tenant: Callable[..., Tenant]) -> Cohort:
    """`vision` may borrow, `speech` and `sound` lend three of four GPUs each."""
    made = cohort_create(actor=platform_admin, name="research")
    for member in (tenant, other_tenant, make_tenant("sound")):
        cohort_of_tenant_set(actor=platform_admin, tenant=member, cohort=made)
        lends = 0 if member == tenant else 3
        bounds = Bounds(nominal=4, borrow_limit=6, lend_limit=lends)
        quota_set(actor=platform_admin, tenant=member, bounds={"gpus": bounds})
    return made


@pytest.fixture
def reads(auditor: User, client_of: ClientOf) -> Client:
    return client_of(auditor)


def table_of(user: User, **narrowing: str) -> QuotaTable:
    return quota_table(user=user, narrowing=Narrowing(**narrowing), limit=1_000)


def row_of(user: User, slug: str, key: str = "gpus") -> TableRow:
    return next(row for row in table_of(user, key=key).rows if row.slug == slug)


def body(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode("utf-8-sig")


@pytest.mark.parametrize("path", ["/quotas/", "/quotas/export.csv"])
def test_only_the_platform_s_admins_and_auditors_see_all_quotas(
    client_of: ClientOf, tenant_admin: User, auditor: User, platform_admin: User, path: str
) -> None:
    statuses = [client_of(who).get(path).status_code for who in (tenant_admin, auditor, platform_admin)]
    assert statuses == [403, 200, 200]


def test_what_is_borrowed_is_told_as_lent_by_those_who_have_it_to_lend_and_adds_up(
    cohort: Cohort,
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    outsider: User,
    auditor: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=4))
    admit(make_workload(tenant, owner, gpus=3))
    admit(make_workload(other_tenant, outsider, gpus=2))
    lent = {row.slug: row.lent for row in table_of(auditor, key="gpus").rows}
    borrowed = [row.line.line.borrowed for row in table_of(auditor, key="gpus").rows]
    assert sum(lent.values()) == sum(borrowed) == 3
    assert lent["vision"] == 0
    assert lent["speech"] <= 2
    assert lent["sound"] <= 3


def test_the_fullest_come_first_or_tenants_by_slug(
    tenant: Tenant,
    other_tenant: Tenant,
    owner: User,
    auditor: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=4))
    by_share = quota_table(user=auditor, narrowing=Narrowing(), limit=1, by_share=True)
    assert [(row.slug, row.key) for row in by_share.rows] == [("vision", "gpus")]
    by_tenant = table_of(auditor).rows
    assert [(row.slug, row.key) for row in by_tenant[:2]] == [("speech", "cpu_millicores"), ("speech", "memory_mib")]
    assert by_share.fitting == len(by_tenant) == 8


def test_a_type_shows_every_tenant_and_all_types_only_what_there_is(auditor: User, tenant: Tenant) -> None:
    tenant.quota_lines.filter(type__key="gpus").delete()
    assert [row.key for row in table_of(auditor).rows] == ["cpu_millicores", "memory_mib", "pods"]
    assert row_of(auditor, "vision").line.nominal == 0


@pytest.mark.parametrize(
    ("narrowing", "slugs"),
    [
        ({"text": "SPEE"}, {"speech"}),
        ({"text": "%"}, set()),
        ({"cohort": "research"}, {"vision", "speech", "sound"}),
        ({"cohort": "none"}, set()),
        ({"key": "warp_cores"}, set()),
    ],
)
def test_tenants_are_found_by_name_and_by_cohort(
    cohort: Cohort, auditor: User, make_tenant: Callable[..., Tenant], narrowing: dict[str, str], slugs: set[str]
) -> None:
    make_tenant("alone")
    assert {row.slug for row in table_of(auditor, **narrowing).rows} == slugs


def test_the_page_warns_where_more_is_given_than_the_nodes_offer(
    reads: Client, tenant: Tenant, other_tenant: Tenant
) -> None:
    Node.objects.create(name="n1", uid="u", ready=True, cpu_millicores=64_000, memory_mib=65_536, pods=110, gpus=7)
    page = reads.get("/quotas/?type=gpus").content.decode()
    assert "8 nominal of 7" in page
    assert "more is given than the nodes offer" in page
    assert "more is given than the nodes offer" not in reads.get("/quotas/?type=pods").content.decode()


def test_an_auditor_has_nothing_to_change_on_the_page(reads: Client, tenant: Tenant) -> None:
    page = reads.get("/quotas/?type=gpus&edit=*").content.decode()
    assert "/tenants/vision/quota/" in page
    assert "<input" not in page.split("page-body")[1].split('name="q"')[1].split(">", 1)[1].split("<dialog")[0]
    assert "/quotas/import/" not in page


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=99999999999", "sort=x", "q=%00", "cohort=%00", "type=%00x"]
)
def test_an_address_that_makes_no_sense_still_shows_a_page(reads: Client, tenant: Tenant, query: str) -> None:
    assert reads.get(f"/quotas/?{query}").status_code == 200


def test_the_file_has_every_line_and_no_formula(reads: Client, cohort: Cohort, tenant: Tenant) -> None:
    rows = list(csv.DictReader(io.StringIO(body(reads.get("/quotas/export.csv")))))
    assert len(rows) == 12
    assert rows[-2] == {
        "tenant": "vision",
        "type": "gpus",
        "nominal": "4",
        "borrow_limit": "6",
        "lend_limit": "0",
        "used": "0",
        "borrowed": "0",
        "lent": "0",
        "overhang": "0",
    }
    narrowed = list(csv.DictReader(io.StringIO(body(reads.get("/quotas/export.csv?type=gpus&q=vis")))))
    assert [(row["tenant"], row["type"]) for row in narrowed] == [("vision", "gpus")]


def fill(tenants: int, types: int) -> None:
    """Fill the ledger by SQL: so many tenants, in ten cohorts, with so many types in all."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO tenants_resourcetype (id, key, kube_name, label_en, label_zh, unit, quota_key, gpu_product,
                                              price_weight, position)
            SELECT gen_random_uuid(), 'type_' || n, 'example.com/t' || n, 'Type ' || n, '类型', 'count', '', '',
                   0, 100 + n
            FROM generate_series(1, %(types)s - 4) n;
            INSERT INTO tenants_cohort (id, name, created) SELECT gen_random_uuid(), 'cohort-' || n, now()
            FROM generate_series(0, 9) n;
            INSERT INTO tenants_tenant (id, slug, name, created, generation, status, status_detail,
                                        applied_generation, cohort_id, priorities, has_shares)
            SELECT gen_random_uuid(), 'team-' || lpad(n::text, 4, '0'), 'Team ' || n, now(), 1, 'ready', '', 1, c.id,
                   '{normal,low}', false
            FROM generate_series(1, %(tenants)s) n JOIN tenants_cohort c ON c.name = 'cohort-' || n %% 10;
            INSERT INTO tenants_quotaline (tenant_id, type_id, nominal, borrow_limit, lend_limit, used, overhang)
            SELECT t.id, r.id, 8, 4, 2, (random() * 12)::int, 0 FROM tenants_tenant t CROSS JOIN tenants_resourcetype r;
            INSERT INTO tenants_poolline (cohort_id, type_id, lendable, used, overhang)
            SELECT t.cohort_id, q.type_id, SUM(q.lend_limit), SUM(GREATEST(q.used - 6, 0)),
                   GREATEST(SUM(GREATEST(q.used - 6, 0)) - SUM(q.lend_limit), 0)
            FROM tenants_quotaline q JOIN tenants_tenant t ON t.id = q.tenant_id GROUP BY 1, 2;
            """,
            {"types": types, "tenants": tenants},
        )


@pytest.mark.parametrize(
    "path", ["/quotas/", "/quotas/?type=gpus", "/quotas/?cohort=cohort-3", "/quotas/?page=399&sort=tenant"]
)
def test_six_statements_at_a_thousand_tenants_and_twenty_types(
    reads: Client, platform_admin: User, client_of: ClientOf, path: str
) -> None:
    fill(1_000, 20)
    for client in (reads, client_of(platform_admin)):
        with CaptureQueriesContext(connection) as seen:
            assert "team-" in client.get(path).content.decode()
        assert len(seen) <= 6


def test_the_file_of_a_thousand_tenants_and_twenty_types_has_every_line(reads: Client) -> None:
    fill(1_000, 20)
    rows = list(csv.DictReader(io.StringIO(body(reads.get("/quotas/export.csv")))))
    assert len({(row["tenant"], row["type"]) for row in rows}) == len(rows) == 20_000
    lent, borrowed = (sum(int(row[name]) for row in rows) for name in ("lent", "borrowed"))
    assert 0 < lent <= borrowed


def test_what_is_held_beyond_a_lowered_limit_is_said(
    reads: Client,
    tenant: Tenant,
    owner: User,
    make_workload: Callable[..., Workload],
    admit: Callable[..., Attempt],
) -> None:
    admit(make_workload(tenant, owner, gpus=4))
    set_limits(tenant, gpus=1)
    page = reads.get("/quotas/?type=gpus").content.decode()
    assert "3 above the limit, kept until its work ends" in page
    assert "3 above limits" in page


def test_what_nodes_offer_of_other_types_and_of_classes_of_gpus_is_counted(
    platform_admin: User, tenant: Tenant, client_of: ClientOf
) -> None:
    offers = {"cpu_millicores": 64_000, "memory_mib": 65_536, "pods": 500, "gpus": 8}
    Node.objects.create(name="n", uid="u", ready=True, extended={"rdma/hca": 4}, gpu_product="NVIDIA-L4", **offers)
    type_create(actor=platform_admin, kube_name="rdma/hca", draft=Draft(label_en="RDMA"))
    type_create(actor=platform_admin, kube_name="nvidia.com/gpu", gpu_product="NVIDIA-L4", draft=Draft(label_en="L4"))
    quota_set(actor=platform_admin, tenant=tenant, bounds={key: Bounds(nominal=4) for key in ("hca", "nvidia-l4")})
    page = client_of(platform_admin).get("/quotas/").content.decode()
    assert "more is given than the nodes offer" not in page
    assert page.count("4 nominal of 4") == 1
    assert page.count("4 nominal of 8") == 2  # all GPUs, and the class
