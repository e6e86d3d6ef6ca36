"""Fifty submissions at once against a quota of ten, two web processes, two queues: exactly what fits is admitted.

On a real control plane with scripted nodes. A few rounds here; the full hundred with BERTH_QUOTA_ROUNDS=100.
"""

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from portal.core.transactions import MOST_RETRIES
from tenants.ledger import Bounds
from tests import dbfaults
from tests.faults.conftest import make_tenant
from tests.faults.quotafield import Field, Sampler, doubled
from tests.faults.quotarounds import Load, Rounds
from tests.plugins.clusters import start_cluster
from tests.plugins.figures import Figure
from tests.plugins.polling import until
from tests.plugins.product import running_product

ROUNDS = int(os.environ.get("BERTH_QUOTA_ROUNDS", "10"))
COHORT_ROUNDS = max(3, ROUNDS if ROUNDS >= 100 else ROUNDS // 3)
PATIENCE_S = 90.0
LIMIT_S = 300 + 40 * ROUNDS
ALONE = "rounds"
MEMBERS = ("north", "east", "south")
LENDS = Bounds(nominal=10, lend_limit=5, borrow_limit=10)
REPEATED = re.compile(r"retry=(\d+) .*event=transaction_repeated")
LOAD = Load("registry.berth.internal/busybox:1", [["true"]], PATIENCE_S)
LOAD_WITH_FAILURES = replace(LOAD, patience_s=2 * PATIENCE_S)
_ENDS = "SELECT state, reason_code, count(*) FROM workloads_workload GROUP BY 1, 2 ORDER BY 3 DESC"
# Three failures in a row of each forty-one writes of a connection: no transaction here has as many.
BURSTS = "CASE mod(n, 41) WHEN 0 THEN '40P01' WHEN 1 THEN '40001' WHEN 2 THEN '40P01' END"
WRITTEN = ("tenants_quotaline", "tenants_poolline", "workloads_attempt", "workloads_workload")
# A pod's name begins as its workload's does, which is random: a part of them fails, succeeds or is killed soon.
SCRIPTS = {
    "*/w-[a-d]*": {"end": "exit", "exit_code": 3, "run_s": 0.3},
    "*/w-[e-h]*": {"end": "exit", "run_s": 0.5},
    "*/w-[ij]*": {"end": "oom", "run_s": 0.2},
}


@pytest.fixture(scope="module")
def field(cluster_binary: Path) -> Iterator[Field]:
    """The product twice over on scripted nodes, with a tenant alone and three more."""
    cluster = start_cluster(cluster_binary, "--scripted", "3")
    try:
        told = {"default": {"start_s": 0.1, "end": "never"}, "pods": SCRIPTS}
        (cluster.state_dir / "scripted.json").write_text(json.dumps(told))
        with running_product("--demo", "--no-samples", kubeconfig=cluster.admin_kubeconfig) as product:
            product.wait_cluster()
            for slug in (ALONE, *MEMBERS):
                make_tenant(product, slug)
            with doubled(product) as ready:
                yield ready
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def cohort(field: Field) -> Sequence[str]:
    """Three tenants of ten pods each, of which each lends five and may borrow ten."""
    made = field.rest.ask("POST", "cohorts/", {"name": "compass"})
    for slug in MEMBERS:
        field.rest.ask("PUT", f"tenants/{slug}/cohort/", {"cohort": made["id"]})
    return MEMBERS


def said(field: Field) -> str:
    """Tell what the rounds have gone through, of all tenants that are in none but these tests."""
    ends = field.product.sql(_ENDS)
    [(moves,)] = field.product.sql("SELECT count(*) FROM core_auditentry WHERE action = 'tenant.quota'")
    counted = ", ".join(f"{count} {state} {reason}".strip() for state, reason, count in ends)
    return f"so far {moves} changes of quota, {counted}; answers {dict(field.rest.answers)}"


@pytest.mark.parametrize("stopped", ["up", "beside"])
def test_each_of_the_two_queues_admits_while_the_other_is_stopped(field: Field, stopped: str) -> None:
    pid = field.product.pid("queue") if stopped == "up" else field.queue.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        body = {"name": "one", "image": LOAD.image, "resources": {"cpu_millicores": 10, "memory_mib": 16}}
        made = field.rest.ask("POST", f"tenants/{ALONE}/workloads/", body)
        admitted = "SELECT 1 FROM workloads_attempt WHERE workload_id = %s"
        until("it is admitted", lambda: field.product.sql(admitted, made["id"]), timeout_s=30)
    finally:
        os.kill(pid, signal.SIGCONT)
    field.rest.ask("POST", f"workloads/{made['id']}/cancel/", may_be_late=True)


def test_the_sampler_tells_of_a_row_that_is_not_what_is_held(field: Field) -> None:
    one_more = (
        "UPDATE tenants_quotaline q SET used = used + %s FROM tenants_tenant n WHERE q.tenant_id = n.id AND slug = %s"
    )
    with Sampler(field.product) as sampler:
        sampler.check()
        field.product.sql(one_more, 1, MEMBERS[0])
        until("it is told of", lambda: sampler.wrong, timeout_s=30)
        field.product.sql(one_more, -1, MEMBERS[0])
    assert {row[0] for row in sampler.wrong} == {MEMBERS[0]}


@pytest.mark.timeout(LIMIT_S)
def test_exactly_ten_of_fifty_are_admitted_in_each_round_whatever_comes_between(field: Field, figure: Figure) -> None:
    rounds = Rounds(field.product, field.rest, LOAD, {ALONE: Bounds(nominal=10)})
    began = time.monotonic()
    with Sampler(field.product) as sampler:
        for n in range(ROUNDS):
            assert rounds.play([ALONE], sampler, seed=n) == {ALONE: 10}, f"round {n}"
    took_s = time.monotonic() - began
    figure(f"{ROUNDS} rounds, {took_s / ROUNDS:.1f} s each; {sampler.samples} samples; {said(field)}")
    field.check()


@pytest.mark.timeout(LIMIT_S)
def test_three_tenants_that_borrow_from_each_other_hold_together_what_they_lend_and_keep(
    field: Field, cohort: Sequence[str], figure: Figure
) -> None:
    rounds = Rounds(field.product, field.rest, LOAD, dict.fromkeys(cohort, LENDS))
    began = time.monotonic()
    with Sampler(field.product) as sampler:
        for n in range(COHORT_ROUNDS):
            submitting = cohort[: 1 + n % 3]
            held = rounds.play(submitting, sampler, seed=n)
            # Each keeps 5 for itself and may borrow up to 20 in all; the three lend each other 15.
            assert sum(held.values()) == min(20 * len(submitting), 5 * len(submitting) + 15), f"round {n}: {held}"
            assert {slug: used for slug, used in held.items() if slug not in submitting and used} == {}
    took_s = time.monotonic() - began
    figure(f"{COHORT_ROUNDS} rounds, {took_s / COHORT_ROUNDS:.1f} s each; {sampler.samples} samples; {said(field)}")
    field.check()


@pytest.fixture
def failing(field: Field) -> Iterator[None]:
    """Have the database end writes of every process as those of a deadlock's victim, three in a row each time."""
    dbfaults.begin(field.product.sql, *WRITTEN, fails=BURSTS, counters=1024)
    yield
    dbfaults.end(field.product.sql, *WRITTEN)


def test_deadlocks_and_conflicts_are_repeated_three_times_at_most_and_nobody_is_told_of_them(
    field: Field, cohort: Sequence[str], failing: None, figure: Figure
) -> None:
    usual = {ALONE: Bounds(nominal=10), **dict.fromkeys(cohort, LENDS)}
    with Sampler(field.product) as sampler:
        rounds = Rounds(field.product, field.rest, LOAD_WITH_FAILURES, usual)
        for n in range(2):
            held = rounds.play([ALONE, cohort[0]], sampler, seed=n)
            assert held == {ALONE: 10, cohort[0]: 20, cohort[1]: 0, cohort[2]: 0}, f"round {n}"
    repeats = {name: Counter(REPEATED.findall(field.log(name))) for name in ("web", "queue")}
    figure(f"repeated for the nth time: {repeats}; {said(field)}")
    assert all(1 <= len(found) <= MOST_RETRIES for found in repeats.values())
    field.check()
