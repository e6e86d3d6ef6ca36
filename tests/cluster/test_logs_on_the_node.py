"""Logs of real containers: each line stored once and in order, whatever is printed, killed, stopped or deleted."""

import json
import re
import shlex
import signal
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.plugins.figures import Figure
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
LINE, GAP, SPLIT = 0, 1, 2
END_S = 120.0
LOUD_JOBS = 12
TENANT = "vision"


@pytest.fixture
def dev(demo: Product) -> Person:
    return demo.person("dev")


def submit(product: Product, person: Person, shell: str, **fields: str) -> str:
    """Submit a job that runs a shell script and ends with it."""
    command = shlex.join(["sh", "-c", shell])
    return person.submit(TENANT, image=product.image("busybox"), command=command, **fields)


def stored(product: Product, workload: str) -> tuple[int, bool]:
    """Return the number of the last stored line, and whether the log is closed."""
    rows = product.sql("SELECT log_last_seq, log_sealed FROM workloads_workload WHERE id = %s", workload)
    return rows[0][0], rows[0][1]


def wait_sealed(product: Product, workload: str, timeout_s: float = END_S) -> None:
    until(
        lambda: f"the log is closed, but it stands at {stored(product, workload)}",
        lambda: stored(product, workload)[1],
        timeout_s=timeout_s,
    )


def wait_lines(product: Product, workload: str, count: int) -> None:
    until(f"{count} lines are stored", lambda: stored(product, workload)[0] >= count, timeout_s=END_S)


def texts(person: Person, workload: str) -> list[str]:
    """Return the lines' texts; markers and notes as their kind and text."""
    return [line[5] if line[6] in (LINE, SPLIT) else f"<{line[6]}> {line[5]}" for line in person.lines(workload)]


def test_twenty_thousand_lines_at_once_are_stored_in_order_and_once(demo: Product, dev: Person, figure: Figure) -> None:
    begun = time.monotonic()
    workload = submit(demo, dev, "seq 1 20000")
    wait_sealed(demo, workload)
    figure(f"submitted, run, stored and closed in {time.monotonic() - begun:.1f} s")
    lines = dev.lines(workload)
    assert [line[0] for line in lines] == list(range(1, 20_001))
    assert [line[5] for line in lines] == [str(number) for number in range(1, 20_001)]


def test_jobs_that_print_a_lot_and_end_at_once_lose_no_line(demo: Product, dev: Person, figure: Figure) -> None:
    begun = time.monotonic()
    workloads = [submit(demo, dev, "seq 1 20000") for _ in range(LOUD_JOBS)]
    for workload in workloads:
        wait_sealed(demo, workload)
    figure(f"{LOUD_JOBS} loud jobs were run and stored in {time.monotonic() - begun:.0f} s")
    assert {workload: stored(demo, workload)[0] for workload in workloads} == dict.fromkeys(workloads, 20_000)
    expected = [str(number) for number in range(1, 20_001)]
    assert all(texts(dev, workload) == expected for workload in workloads)


def test_a_line_of_200_kib_is_kept_in_marked_pieces(demo: Product, dev: Person) -> None:
    workload = submit(demo, dev, "head -c 204800 /dev/zero | tr '\\0' x; echo; echo after")
    wait_sealed(demo, workload)
    lines = dev.lines(workload)
    *pieces, after = lines
    assert "".join(line[5] for line in pieces) == "x" * 204_800
    assert [line[6] for line in pieces] == [LINE] + [SPLIT] * (len(pieces) - 1)
    assert max(len(line[5]) for line in pieces) <= 64 * 1024
    assert (after[5], after[6]) == ("after", LINE)
    whole = dev.get(f"/workloads/{workload}/logs/download/").content
    assert whole == b"x" * 204_800 + b"\nafter\n"


def test_hostile_bytes_arrive_harmless(demo: Product, dev: Person) -> None:
    printed = r"nul \000 bell \007 bad \377\376 end\n\033[31mred\033[0m\nbidi \342\200\256abc\n<b>&amp;\n"
    workload = submit(demo, dev, f"printf '{printed}'")
    wait_sealed(demo, workload)
    assert texts(dev, workload) == [
        "nul \u2400 bell \u2407 bad \ufffd\ufffd end",
        "\x1b[31mred\x1b[0m",
        "bidi \u202eabc",
        "<b>&amp;",
    ]
    page = dev.get(f"/workloads/{workload}/logs/").text
    assert '<span class="a-f1">red</span>' in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "&lt;b&gt;&amp;amp;" in page


class Viewer:
    """Follows a log as the page does: frames, and a new connection from the last line on."""

    def __init__(self, person: Person, workload: str) -> None:
        self._url = f"{person.url.replace('http', 'ws', 1)}/ws/workloads/{workload}/logs/"
        self._cookies = person.cookie_header()
        self._origin = Origin(person.url)
        self.lines: list[list[Any]] = []
        self.late_ms: list[float] = []
        self.is_sealed = False

    @property
    def cursor(self) -> int:
        return self.lines[-1][0] if self.lines else 0

    def read(self, most: int) -> None:
        """Connect, take up to `most` lines more, and leave without a word."""
        wanted = len(self.lines) + most
        headers = {"Cookie": self._cookies}
        with connect(f"{self._url}?after={self.cursor}", origin=self._origin, additional_headers=headers) as socket:
            for message in socket:
                self._take(message)
                if self.is_sealed or len(self.lines) >= wanted:
                    return

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.is_sealed |= json.loads(message)["type"] == "sealed"
            return
        body = zlib.decompress(message[1:]) if message[0] & 1 else message[1:]
        now_ms = time.time() * 1000
        for line in json.loads(body)["lines"]:
            self.lines.append(line)
            self.late_ms.append(now_ms - line[1])


def test_a_viewer_that_is_cut_again_and_again_sees_each_line_once(demo: Product, dev: Person, figure: Figure) -> None:
    shell = "i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); sleep 0.02; done"
    workload = submit(demo, dev, shell)
    viewer = Viewer(dev, workload)
    connections = 0
    while not viewer.is_sealed:
        viewer.read(most=25)
        connections += 1
        assert connections < 200
    assert [line[5] for line in viewer.lines] == [f"line {number}" for number in range(400)]
    assert connections > 10
    late = sorted(viewer.late_ms)
    figure(
        f"container to viewer over {connections} connections: "
        f"p50 {late[len(late) // 2]:.0f} ms, p99 {late[len(late) * 99 // 100]:.0f} ms"
    )


@pytest.fixture
def unharmed(demo: Product) -> Iterator[Product]:
    """The demo, whose log collector runs again afterwards."""
    yield demo
    demo.kill("logcollector", signal.SIGCONT)


def test_a_collector_killed_twice_and_stopped_for_long_loses_and_doubles_nothing(
    unharmed: Product, dev: Person, figure: Figure
) -> None:
    demo = unharmed
    shell = "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); sleep 0.01; done"
    workload = submit(demo, dev, shell)
    wait_lines(demo, workload, 200)
    for _ in range(2):
        before = stored(demo, workload)[0]
        demo.kill("logcollector")
        killed = time.monotonic()
        wait_lines(demo, workload, before + 1)
        figure(f"lines came in again {time.monotonic() - killed:.1f} s after the collector was killed")
    stopped = demo.kill("logcollector", signal.SIGSTOP)
    time.sleep(15)  # the fault itself: longer than its lease
    assert demo.kill("logcollector", signal.SIGCONT) == stopped
    wait_sealed(demo, workload)
    assert texts(dev, workload) == [f"line {number}" for number in range(4000)]


def pods_of(product: Product, workload: str) -> str:
    return product.kubectl("get", "pods", "-A", "-l", f"berth.dev/workload={workload}", "-o", "name").strip()


def test_the_log_of_a_cancelled_job_is_whole_after_its_pod_is_gone(demo: Product, dev: Person) -> None:
    shell = 'trap "echo asked to end; sleep 1; exit 0" TERM; echo begun; sleep 600 & wait'
    workload = submit(demo, dev, shell)
    wait_lines(demo, workload, 1)
    assert dev.cancel(workload).status_code == 302
    until("the pod is gone", lambda: not pods_of(demo, workload), timeout_s=60)
    wait_sealed(demo, workload)
    assert texts(dev, workload) == ["begun", "asked to end"]


def test_the_log_of_a_finished_job_outlasts_its_pod(demo: Product, dev: Person) -> None:
    workload = submit(demo, dev, "seq 1 10")
    wait_sealed(demo, workload)
    namespace = f"berth-{TENANT}"
    demo.kubectl(
        "delete", "pods", "-n", namespace, "-l", f"berth.dev/workload={workload}", "--grace-period=0", "--force"
    )
    assert not pods_of(demo, workload)
    assert texts(dev, workload) == [str(number) for number in range(1, 11)]


def resident_mib(pid: int | None) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def test_ten_thousand_lines_a_second_are_stored_in_bounded_memory(demo: Product, dev: Person, figure: Figure) -> None:
    pid = demo.pid("logcollector")
    before_mib = resident_mib(pid)
    second = 'seq 1 10000 | sed "s/^/second $n of a job that prints a lot, line /"; sleep 1'
    shell = f"n=0; while [ $n -lt 30 ]; do n=$((n+1)); {second}; done"
    begun = time.monotonic()
    workload = submit(demo, dev, shell)
    peak_mib = before_mib

    def is_sealed() -> bool:
        nonlocal peak_mib
        peak_mib = max(peak_mib, resident_mib(pid))
        return stored(demo, workload)[1]

    until("the log is closed", is_sealed, timeout_s=200, every_s=0.2)
    seconds = time.monotonic() - begun
    last = stored(demo, workload)[0]
    figure(f"{last} lines in {seconds:.0f} s; collector {before_mib:.0f} MiB before, {peak_mib:.0f} MiB at the most")
    whole = dev.get(f"/workloads/{workload}/logs/download/").text.splitlines()
    expected = [
        f"second {second} of a job that prints a lot, line {number}"
        for second in range(1, 31)
        for number in range(1, 10_001)
    ]
    assert whole == expected
    assert demo.pid("logcollector") == pid
    assert peak_mib - before_mib < 128
