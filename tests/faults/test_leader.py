"""A stopped leader is replaced, and writes nothing when it goes on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import TENANT, all_in, attempts
from tests.plugins.figures import Figure
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import ROOT, Product

PROMISE_S = 15.0


@pytest.fixture(params=["controller", "queue"])
def standby(hurt: Product, request: pytest.FixtureRequest) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A second process of a kind that leads alone."""
    name = request.param
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), f"run_{name}"],
        env={**os.environ, **hurt.settings()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    yield name, process
    process.terminate()
    process.wait(30)


def lease(product: Product, name: str) -> tuple[str, int]:
    """Return (holder's pid, epoch) of a lease that has not lapsed."""
    rows = product.sql("SELECT holder, epoch FROM core_lease WHERE name = %s AND expires_at > clock_timestamp()", name)
    return (rows[0][0].split(":")[1], rows[0][1]) if rows else ("", 0)


def test_a_stopped_leader_is_replaced_and_then_writes_nothing(
    hurt: Product, admin: Person, standby: tuple[str, subprocess.Popen[bytes]], figure: Figure
) -> None:
    name, second = standby
    first = hurt.pid(name)
    assert first is not None
    until("the first leads", lambda: lease(hurt, name)[0] == str(first), timeout_s=30)
    os.kill(first, signal.SIGSTOP)
    stopped = time.monotonic()
    try:
        until("the second leads", lambda: lease(hurt, name)[0] == str(second.pid), timeout_s=PROMISE_S)
        figure(f"a stopped {name} was replaced after {time.monotonic() - stopped:.1f} s")
        epoch = lease(hurt, name)[1]
        work = [admin.submit(TENANT, name=f"led-{n}", image=hurt.image("busybox"), command="echo led") for n in (1, 2)]
        all_in(hurt, work, "succeeded", timeout_s=60)
    finally:
        os.kill(first, signal.SIGCONT)
    until("the first says that it lost", lambda: "lease_lost" in hurt.log(name), timeout_s=PROMISE_S)
    more = [admin.submit(TENANT, name=f"later-{n}", image=hurt.image("busybox"), command="echo led") for n in (1, 2)]
    all_in(hurt, more, "succeeded", timeout_s=60)
    assert lease(hurt, name) == (str(second.pid), epoch)
    assert len(attempts(hurt, work + more)) == len(work + more)
    ends = hurt.sql(
        "SELECT workload_id, count(*) FROM workloads_workloadevent "
        "WHERE workload_id = ANY(%s::uuid[]) AND state = 'succeeded' GROUP BY 1",
        work + more,
    )
    assert [row[1] for row in ends] == [1] * len(work + more)
