"""What `up` promises of its own life: killed children come back, an end leaves nothing, a next start finds its data."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

import psutil
import pytest

from portal.embedded.layout import layout_of
from portal.embedded.processes import with_environment
from portal.embedded.statefile import DIR_MARK
from tests.plugins.polling import until
from tests.plugins.product import ROOT, Product, running_product

SERVICES = ("web", "worker", "beat", "controller", "queue", "logcollector", "valkey", "postgres")
BACK_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def plain() -> Iterator[Product]:
    """A product without a cluster, for tests that kill its processes."""
    with running_product("--no-cluster") as product:
        yield product


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="berth-start-") as directory:
        yield Path(directory) / "data"


def left_by(product: Product) -> dict[str, list[str]]:
    """Return what an installation left on the machine, by kind; its data is meant to stay."""
    data_dir = product.data_dir
    tag = next(part for part in data_dir.parts if part.startswith("berth-"))
    sockets = layout_of(data_dir).socket_dir  # below the temporary directory for those who may not write to /run
    return {
        "processes": [str(found) for found in with_environment(f"{DIR_MARK}={data_dir}")],
        "named": [line for line in command_lines() if tag in line and "pytest" not in line],
        "sockets": [
            str(path) for path in (sockets, *Path(tempfile.gettempdir()).glob(f"{sockets.name}*")) if path.exists()
        ],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if tag in line],
    }


def network() -> set[str]:
    """Return the names of the machine's links that belong to a node."""
    said = subprocess.run(["ip", "-oneline", "link"], capture_output=True, text=True, check=True).stdout
    names = (line.split(":")[1].strip().split("@")[0] for line in said.splitlines())
    return {name for name in names if name.startswith("berth")}


def command_lines() -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
    return found


NOTHING: dict[str, list[str]] = {"processes": [], "named": [], "sockets": [], "mounts": []}


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_process_comes_back_and_the_portal_works_on(plain: Product, name: str) -> None:
    until(f"{name} runs", lambda: plain.pid(name), timeout_s=BACK_WITHIN_S)
    killed = plain.kill(name)

    def is_back() -> bool:
        child = plain.state()["children"][name]
        return bool(child["pid"] and child["pid"] != killed and child["state"] == "ready")

    until(f"{name} is back", is_back, timeout_s=BACK_WITHIN_S)
    until("the sign-in page answers", lambda: plain.status("/accounts/login/") == 200, timeout_s=BACK_WITHIN_S)
    assert plain.process.poll() is None


def test_a_second_start_on_the_same_data_is_refused_and_names_the_first(plain: Product) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "up", "--data-dir", str(plain.data_dir), "--no-cluster"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert f"Berth already runs on {plain.data_dir} (pid {plain.process.pid}, {plain.url})" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_ctrl_c_leaves_nothing_and_the_next_start_finds_its_data(data_dir: Path) -> None:
    product = Product(data_dir)
    question = "SELECT id FROM core_installation"
    product.start()
    product.wait_cluster()
    links = network()
    installation = product.sql(question)
    assert product.stop(signal.SIGINT) == 0
    assert left_by(product) == NOTHING
    assert len(links - network()) == 1
    product.start()
    product.wait_cluster()
    assert product.sql(question) == installation
    assert product.stop(signal.SIGTERM) == 0
    assert left_by(product) == NOTHING
    assert "Traceback" not in product.console.read_text()


def test_a_killed_start_leaves_nothing_running(data_dir: Path) -> None:
    product = Product(data_dir)
    product.start()
    product.wait_cluster()
    links = network()
    product.process.kill()
    product.process.wait()
    until("nothing is left", lambda: left_by(product) == NOTHING, timeout_s=BACK_WITHIN_S)
    assert len(links - network()) == 1
    product.start()
    product.wait_answering()
    assert product.stop() == 0
    assert left_by(product) == NOTHING


def run_two_sleepers(product: Product) -> str:
    """Run a job of two processes, one of which has left the other's session, and return what each is called as."""
    asleep = f"sleep {SystemRandom().randrange(100_000, 1_000_000)}"  # that nobody else on the machine runs
    command = f"sh -c 'setsid {asleep} & {asleep}'"
    product.wait_cluster()
    product.person("dev").submit("vision", image=product.image("busybox"), command=command)
    until("the job runs with its child", lambda: command_lines().count(asleep) == 2, timeout_s=60)
    return asleep


def test_without_root_an_end_and_even_a_kill_take_the_processes_of_every_job_along() -> None:
    with running_product("--demo", "--no-samples", without_root=True) as product:
        asleep = run_two_sleepers(product)
        assert "Work runs as plain processes, not in containers." in product.console.read_text()
        assert product.stop(signal.SIGINT) == 0
        assert left_by(product) == NOTHING
        assert asleep not in command_lines()
        product.start()
        product.wait_answering()
        asleep = run_two_sleepers(product)
        product.process.kill()
        product.process.wait()
        until("nothing is left", lambda: left_by(product) == NOTHING, timeout_s=BACK_WITHIN_S)
        until("no process of the job is left", lambda: asleep not in command_lines(), timeout_s=BACK_WITHIN_S)
