"""Sixty jobs while worker, controller, queue and log collector are killed at random."""

import random
import threading
import time

from tests.faults.conftest import TENANT, all_in, attempts, objects_and_rows_agree, rows_beside_pods
from tests.plugins.figures import Figure
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

JOBS = 60
LINES = 20
VICTIMS = ("worker", "controller", "queue", "logcollector")
KILLING_S = 45.0
PROMISE_S = 30.0
FINISH_S = 300.0


def kill_at_random(product: Product, seed: int, stop: threading.Event) -> int:
    """Kill one of the victims each 0.5-3 s until told to stop; returns how many were killed."""
    chance = random.Random(seed)  # noqa: S311 (a schedule, not a secret)
    kills = 0
    while not stop.wait(chance.uniform(0.5, 3.0)):
        kills += product.kill(chance.choice(VICTIMS)) is not None
    return kills


def all_back(product: Product) -> bool:
    children = product.state()["children"]
    return all(children[name]["pid"] and children[name]["state"] == "ready" for name in VICTIMS)


def test_sixty_jobs_survive_random_kills(hurt: Product, admin: Person, figure: Figure) -> None:
    seed = time.time_ns() % 1_000_000
    figure(f"seed of the kills: {seed}")
    stop = threading.Event()
    kills: list[int] = []
    killer = threading.Thread(target=lambda: kills.append(kill_at_random(hurt, seed, stop)))
    command = f"sh -c 'i=1; while [ $i -le {LINES} ]; do echo line $i; i=$((i+1)); sleep 0.1; done'"
    began = time.monotonic()
    killer.start()
    try:
        ids = [
            admin.submit(TENANT, name=f"kill-{n}", image=hurt.image("busybox"), command=command) for n in range(JOBS)
        ]
        stop.wait(max(0.0, KILLING_S - (time.monotonic() - began)))
    finally:
        stop.set()
        killer.join()
    until("every process is back", lambda: all_back(hurt), timeout_s=60)
    back = time.monotonic()
    until("each attempt has its one Job", lambda: objects_and_rows_agree(hurt, ids), timeout_s=PROMISE_S, every_s=0.5)
    figure(f"{kills[0]} kills; objects and rows agree {time.monotonic() - back:.1f} s after the last restart")
    agreed: set[str] = set()
    until(
        lambda: f"each row said what the cluster says: {rows_beside_pods(hurt, sorted(set(ids) - agreed))}",
        lambda: all_said(hurt, ids, agreed),
        timeout_s=PROMISE_S - (time.monotonic() - back),
    )
    all_in(hurt, ids, "succeeded", timeout_s=FINISH_S)
    assert len(set(ids)) == JOBS
    assert {row[0] for row in attempts(hurt, ids).values()} == set(ids)
    until("each log is sealed", lambda: sealed(hurt, ids), timeout_s=120, every_s=0.5)
    expected = [f"line {n}" for n in range(1, LINES + 1)]
    wrong = {workload: texts for workload in ids if (texts := log_of(admin, workload)) != expected}
    assert wrong == {}


def all_said(product: Product, ids: list[str], agreed: set[str]) -> bool:
    """Add the workloads whose row says what the cluster says now; tell whether each has been in step since the kills.

    One by one, since jobs go on starting and ending between the two readings.
    """
    agreed |= {workload for workload, (row, pod) in rows_beside_pods(product, ids).items() if row == pod}
    return agreed >= set(ids)


def sealed(product: Product, ids: list[str]) -> bool:
    rows = product.sql("SELECT count(*) FROM workloads_workload WHERE log_sealed AND id = ANY(%s::uuid[])", ids)
    return bool(rows[0][0] == len(ids))


def log_of(person: Person, workload: str) -> list[str]:
    lines = person.lines(workload)
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1))
    return [line[5] for line in lines]
