"""Search and narrowed lists over many rows: how much of the database each page reads as the table grows.

Counted in blocks of 8 KiB that the database touched, which no other program on the machine can change. Small here; full
with BERTH_BENCH_ROWS=100000.
"""

import json
import os
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.core.models import PlatformRole, User
from tenants.models import Tenant
from tests.plugins.figures import Figure
from workloads.selectors import SEARCH_STRETCH

ROWS = int(os.environ.get("BERTH_BENCH_ROWS", "5000"))
SIZES = (1_000, ROWS)
TENANTS = 20
PAGES = {
    "palette, nothing typed": "/search/?json=1&q=",
    "palette, most rows fit": "/search/?json=1&q=filled",
    "palette, no row fits": "/search/?json=1&q=nosuchthing",
    "palette, an id": "/search/?json=1&q=00000000-0000-4000-8000-000000000000",
    "list, all": "/workloads/?view=all",
    "list, active": "/workloads/?view=active",
    "list, mine": "/workloads/?view=mine",
    "list, failed": "/workloads/?view=all&state=failed",
    "list, a state that none is in": "/workloads/?view=all&state=suspended",
    "list, an end that none had": "/workloads/?view=all&state=cancelled",
    "list, one owner": "/workloads/?view=all&owner=colleague",
    "list, most rows fit": "/workloads/?view=all&q=filled",
    "list, no row fits": "/workloads/?view=all&q=nosuchthing",
}
_FILL = """
INSERT INTO workloads_workload (id, tenant_id, owner_id, name, kind, spec, spec_digest, kube_name, created, updated,
  hidden, desired, generation, state, reason_code, reason_params, version, started_at, ended_at, exit_code,
  attempts_made, cpu_millicores, memory_mib, gpus, claimed_by, claim_epoch, log_collector, log_epoch, log_last_seq,
  log_bytes, log_sealed, extra)
SELECT gen_random_uuid(), t.id, u.id, 'filled-' || n, 'job', jsonb_build_object('name', 'filled-' || n, 'kind', 'job',
  'image', 'busybox:1', 'script', repeat('print(1)' || chr(10), 40)), md5(n::text), 'w-' || substr(md5(n::text), 1, 10),
  now() - n * interval '1 minute', now(), false, 'run', 1, CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END, '',
  '{}', 3, now() - n * interval '1 minute', now() - n * interval '50 seconds', 0, 1, 100, 128, 0, '', 0, '', 0, 10,
  500, true, '{}'
FROM generate_series(%s::int, %s::int) AS n
JOIN tenants_tenant t ON t.slug = 'team-' || (n %% %s)
JOIN core_user u ON u.username = CASE n %% 3 WHEN 0 THEN 'colleague' ELSE 'somebody' END
"""

pytestmark = [pytest.mark.bench, pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]


@pytest.fixture
def people(
    make_user: Callable[..., User], make_tenant: Callable[..., Tenant], client_of: Callable[[User], Client]
) -> dict[str, Client]:
    """A member of one tenant of many, and an auditor, who sees all; neither has work of their own."""
    tenants = [make_tenant(f"team-{n}") for n in range(TENANTS)]
    for name in ("colleague", "somebody"):
        make_user(name, tenant=tenants[0])
    member = make_user("member", tenant=tenants[1])
    auditor = make_user("auditor", platform_role=PlatformRole.AUDITOR)
    return {"member": client_of(member), "auditor": client_of(auditor)}


def fill(first: int, last: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [first, last, TENANTS])
        cursor.execute("VACUUM ANALYZE workloads_workload")


def blocks_and_statements(client: Client, url: str) -> tuple[int, int]:
    """Ask for a page; return how many blocks its reads touch, and how many statements it makes."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    assert answer.status_code == 200, (url, answer.status_code)
    reads = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    return sum(_blocks(sql) for sql in reads), len(captured)


def _blocks(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) " + sql)
        told = cursor.fetchone()[0]
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


def test_what_search_and_lists_read_as_the_table_grows(people: dict[str, Client], figure: Figure) -> None:
    asked = [(who, name) for who in people for name in PAGES]
    seen: list[dict[tuple[str, str], tuple[int, int]]] = []
    filled = 0
    for size in SIZES:
        fill(filled + 1, size)
        filled = size
        seen.append({(who, name): blocks_and_statements(people[who], PAGES[name]) for who, name in asked})
    few, many = seen
    for key in asked:
        (before, _), (after, count) = few[key], many[key]
        figure(f"{key[0]}, {key[1]}: {before} blocks at {SIZES[0]:,} rows, {after} at {ROWS:,}; {count} statements")
    assert max(count for (_, name), (_, count) in many.items() if "list" in name) <= 6
    assert max(count for _, count in many.values()) <= 8
    grown = {key: (few[key][0], many[key][0]) for key in asked if many[key][0] > SEARCH_STRETCH + 2 * few[key][0] + 60}
    assert not grown, "no page may read more than a bounded part of the table"
    lists = {key: (few[key][0], many[key][0]) for key in asked if "fit" not in key[1]}
    assert not {key: pair for key, pair in lists.items() if pair[1] > 2 * pair[0] + 150}, "only a search may read far"
