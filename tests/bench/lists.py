"""P7: lists of many rows. The table is filled step by step; `listprobe` asks, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.figures import milliseconds, quantile, ratio, table
from tests.bench.listprobe import BY_HAND, REQUEST_BY_HAND, ROWS_ALONE
from tests.plugins.product import Product

ROOT = Path(__file__).parents[2]
PROBE_TIMEOUT_S = 300
READER = "dev"  # member of the first tenant: every other row is not theirs to see

_HEAD = ("list of 50", "rows in the table", "statements", "p50, ms", "p99", "requests")
_FILL = """
INSERT INTO workloads_workload (id, tenant_id, owner_id, name, kind, spec, spec_digest, kube_name, created, updated,
    hidden, desired, generation, state, reason_code, reason_params, version, started_at, ended_at, exit_code,
    attempts_made, cpu_millicores, memory_mib, gpus, claimed_by, claim_epoch, log_collector, log_epoch, log_last_seq,
    log_bytes, log_sealed, extra)
SELECT gen_random_uuid(), tenant.id, person.id, 'filled-' || n, 'job',
    jsonb_build_object('name', 'filled-' || n, 'kind', 'job', 'image', 'registry.berth.internal/busybox:1',
        'command', '[]'::jsonb, 'script', repeat('print(1)\n', 40),
        'resources', '{"cpu_millicores": 100, "memory_mib": 128, "gpus": 0}'::jsonb),
    md5(n::text), 'w-' || substr(translate(md5(n::text), '0189', 'wxyz'), 1, 10), now() - n * interval '1 minute',
    now(), false, 'run', 1, 'succeeded', '', '{}', 3, now() - n * interval '1 minute',
    now() - n * interval '50 seconds', 0, 1, 100, 128, 0, '', 0, '', 0, 0, 0, true, '{}'
FROM generate_series(%s::int, %s::int) AS n
JOIN tenants_tenant AS tenant ON tenant.slug = (ARRAY['vision', 'speech'])[1 + n %% 2]
JOIN core_user AS person ON person.username = CASE n %% 2 WHEN 0 THEN 'dev' ELSE 'guest' END
"""


@dataclass(frozen=True)
class Stage:
    """What was measured with so many rows in the table: seconds in turn, and statements a request."""

    rows: int
    seconds: dict[str, list[float]]
    statements: dict[str, int]


def measure(product: Product, *, sizes: Sequence[int], rounds: int) -> str:
    """Fill the product's table step by step, ask at each size, and return the table of P7. The rows stay."""
    stages, filled = [], 0
    for size in sizes:
        product.sql(_FILL, filled + 1, size)
        product.sql("VACUUM ANALYZE workloads_workload")
        filled = size
        stages.append(_ask(product, size, rounds))
    first = stages[0]
    rows = [_row(stage, way, first) for way in first.statements for stage in stages]
    return table([*_HEAD, "to SQL by hand", "to a request by hand", "to the fewest rows"], rows)


def _row(stage: Stage, way: str, first: Stage) -> list[str]:
    samples = stage.seconds[way]
    growth = quantile(samples, 0.5) / quantile(first.seconds[way], 0.5)
    to_request = "" if way in (ROWS_ALONE, BY_HAND) else ratio(samples, stage.seconds[REQUEST_BY_HAND])
    ratios = [ratio(samples, stage.seconds[BY_HAND]), to_request, f"{growth:.2f}"]
    figures = [str(stage.statements[way]), *milliseconds(samples), *ratios]
    return [way, f"{stage.rows:,}", *figures]


def _ask(product: Product, size: int, rounds: int) -> Stage:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # The probe asks faster than any person may.
    env = {**kept, **product.settings(), "BERTH_API_REQUESTS_PER_MINUTE": "1000000", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.bench.listprobe", READER, str(rounds)]
    said = subprocess.check_output(command, cwd=ROOT, env=env, text=True, timeout=PROBE_TIMEOUT_S)
    return Stage(size, **json.loads(said.splitlines()[-1]))
