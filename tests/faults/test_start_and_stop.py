"""What `up` promises of its own life: killed children come back, an end leaves nothing, a next start finds its data."""

import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

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
    tag = data_dir.parent.name
    return {
        "processes": [str(found) for found in with_environment(f"{DIR_MARK}={data_dir}")],
        "named": [line for line in command_lines() if tag in line and "pytest" not in line],
        "sockets": [str(path) for path in [layout_of(data_dir).socket_dir] if path.exists()],
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
