"""How jobs wait and end on real containers, as their pages tell it."""

import re
from html import unescape

import pytest

from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
END_S = 90.0


@pytest.fixture
def dev(demo: Product) -> Person:
    return demo.person("dev")


@pytest.fixture
def busybox(demo: Product) -> str:
    return demo.image("busybox")


def state_of(product: Product, workload: str) -> tuple[str, str, int | None]:
    """Return (state, reason code, exit code)."""
    rows = product.sql("SELECT state, reason_code, exit_code FROM workloads_workload WHERE id = %s", workload)
    return rows[0][0], rows[0][1], rows[0][2]


def wait_state(product: Product, workload: str, *states: str, timeout_s: float = END_S) -> tuple[str, str, int | None]:
    until(
        lambda: f"{workload} is {states}, but {state_of(product, workload)}",
        lambda: state_of(product, workload)[0] in states,
        timeout_s=timeout_s,
    )
    return state_of(product, workload)


def page_text(person: Person, workload: str) -> str:
    html = person.get(f"/workloads/{workload}/").text
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_job_past_its_time_limit_fails_with_that_reason(demo: Product, dev: Person, busybox: str) -> None:
    workload = dev.submit("vision", image=busybox, command="sleep 600", max_runtime_s="5 s")
    assert wait_state(demo, workload, "failed")[1] == "deadline"
    assert "time limit" in page_text(dev, workload)


def test_a_failed_job_is_tried_again_as_often_as_was_asked(demo: Product, dev: Person, busybox: str) -> None:
    workload = dev.submit("vision", image=busybox, command="sh -c 'echo try; exit 7'", retries="2")
    assert wait_state(demo, workload, "failed") == ("failed", "exit_code", 7)
    attempts = demo.sql("SELECT n, end_state FROM workloads_attempt WHERE workload_id = %s ORDER BY n", workload)
    assert attempts == [(1, "failed"), (2, "failed"), (3, "failed")]
    until("three tries are in the log", lambda: len(dev.lines(workload)) == 3, timeout_s=30)
    assert [line[2] for line in dev.lines(workload)] == [1, 2, 3]


def test_a_job_over_the_tenants_limits_waits_and_then_starts_by_itself(
    demo: Product, dev: Person, busybox: str
) -> None:
    first = dev.submit("vision", image=busybox, command="sleep 600", cpu_millicores="1200m")
    wait_state(demo, first, "running")
    second = dev.submit("vision", image=busybox, command="echo room", cpu_millicores="1200m")
    until("it says what it waits for", lambda: state_of(demo, second)[1] == "over_quota", timeout_s=15)
    assert "CPU" in page_text(dev, second)
    assert dev.cancel(first).status_code == 302
    wait_state(demo, second, "succeeded")
    assert wait_state(demo, first, "cancelled")[0] == "cancelled"


def test_an_image_that_does_not_exist_is_named_as_the_reason(demo: Product, dev: Person) -> None:
    workload = dev.submit("vision", image="registry.berth.internal/nothing:1", command="true")
    until("it says so", lambda: state_of(demo, workload)[1] == "image_pull_failed", timeout_s=60)
    assert "registry.berth.internal/nothing:1" in page_text(dev, workload)
    dev.cancel(workload)
    wait_state(demo, workload, "cancelled")


def test_a_command_that_does_not_exist_is_told_from_a_failing_one(demo: Product, dev: Person, busybox: str) -> None:
    workload = dev.submit("vision", image=busybox, command="no-such-program")
    assert wait_state(demo, workload, "failed")[1] == "start_failed"
    assert "no-such-program" in page_text(dev, workload)


def test_a_gpu_job_gets_its_devices(demo: Product, dev: Person, busybox: str) -> None:
    command = "sh -c 'echo devices=$NVIDIA_VISIBLE_DEVICES'"
    workload = dev.submit("vision", image=busybox, command=command, gpus="2")
    wait_state(demo, workload, "succeeded")
    until("the line is there", lambda: dev.lines(workload), timeout_s=15)
    assert len(dev.lines(workload)[0][5].removeprefix("devices=").split(",")) == 2


def test_a_container_sees_no_more_than_it_should(demo: Product, dev: Person, busybox: str) -> None:
    script = "\n".join(
        [
            "id -u",
            "touch /etc/x 2>&1 | grep -o 'Read-only file system'",
            "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '",
            "ls /var/run/secrets/kubernetes.io 2>&1 | grep -o 'No such file'",
            "pwd; touch here && echo writable",
        ]
    )
    workload = dev.submit("vision", image=busybox, command="sh", script=script)
    wait_state(demo, workload, "succeeded")
    until("all lines are there", lambda: len(dev.lines(workload)) == 8, timeout_s=15)
    uid, *rest = [line[5] for line in dev.lines(workload)]
    assert int(uid) >= 10_000
    assert rest == [
        "Read-only file system",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "No such file",
        "/workspace",
        "writable",
    ]
