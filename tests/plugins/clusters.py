"""Two real clusters for tests: `control_plane` (no node, no root) and `container_node` (real containers, root).

Both live as long as the session and are shared: a test uses namespaces of its own and leaves the roles running. One
that kills roles waits until the cluster is whole again. The program is built before the first test, outside its limit.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal import env
from portal.embedded.cluster.build import DEVCLUSTER, PAUSE, ensure, ensure_containerd
from portal.embedded.images import build as images
from portal.embedded.node.api import Api

ROOT = Path(__file__).parents[2]
START_LIMIT_S = 110.0
STOP_LIMIT_S = 40.0


@dataclass
class RunningCluster:
    """A cluster started by the product's own command, and what a test may want to know of it."""

    process: subprocess.Popen[str]
    state_dir: Path
    binary: Path
    ready_after_s: float

    @property
    def admin_kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.state_dir / "pki" / "admin.kubeconfig"

    @property
    def api_url(self) -> str:
        """Return the URL of the API server."""
        return str(self.output().split(" s at ", 1)[1].split()[0])

    @property
    def api(self) -> Api:
        """Return the API, asked as administrator."""
        return Api(self.api_url, pki=self.state_dir / "pki")

    @property
    def images(self) -> dict[str, str]:
        """Return the references of the images by name: pause, busybox, python."""
        told: dict[str, str] = json.loads((self.state_dir / "images.json").read_text())
        return told

    def output(self) -> str:
        """Return what the command printed so far."""
        return (self.state_dir / "output").read_text()

    def roles(self) -> dict[str, int]:
        """Return the process ids of the running roles, as this machine sees them."""
        told = json.loads((self.state_dir / "roles.json").read_text())
        return {name: role["pid"] for name, role in told["roles"].items()}

    def kubectl(self, *words: str, text: str | None = None) -> str:
        """Run kubectl as administrator and return what it printed; `text` is its input. Fails the test on an error."""
        done = subprocess.run(
            [self.binary, "kubectl", f"--kubeconfig={self.admin_kubeconfig}", *words],
            input=text, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self, *manifests: dict[str, Any]) -> None:
        """Create objects from manifests."""
        self.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))

    def stop(self) -> None:
        """Stop the cluster in the ordinary way and remove its data."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.state_dir, ignore_errors=True)


def node_command(command: str, state_dir: Path, *words: str) -> list[str]:
    """Return the command line of `python -m portal.embedded.node`."""
    return [sys.executable, "-m", "portal.embedded.node", command, "--state-dir", str(state_dir), *words]


def start_cluster(
    binary: Path, *words: str, state_dir: Path | None = None, limit_s: float = START_LIMIT_S
) -> RunningCluster:
    """Start a cluster and wait until it says that it is ready. The caller stops it."""
    state_dir = state_dir or Path(tempfile.mkdtemp(prefix="berth-test-cluster-"))
    began = time.monotonic()
    command = node_command("up", state_dir, "--binary", str(binary), *words)
    with (state_dir / "output").open("w") as output:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=output, stderr=output, text=True, env=environment, cwd=state_dir)
    cluster = RunningCluster(process, state_dir, binary, 0.0)
    while "\nready " not in cluster.output():
        if process.poll() is not None or time.monotonic() - began > limit_s:
            said = cluster.output()
            cluster.stop()
            pytest.fail(f"the cluster did not start:\n{said}")
        time.sleep(0.05)
    cluster.ready_after_s = time.monotonic() - began
    return cluster


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what cluster tests need before the first of them: no test's time limit would allow for it."""
    if session.config.option.collectonly or not any(item.get_closest_marker("cluster") for item in session.items):
        return
    cache_dir = env.cache_dir()
    ensure(DEVCLUSTER, cache_dir=cache_dir)
    ensure(PAUSE, cache_dir=cache_dir)
    if os.geteuid() == 0:
        ensure_containerd(cache_dir=cache_dir)
        images.python(cache_dir=cache_dir, say=print)


@pytest.fixture(scope="session")
def cluster_binary() -> Path:
    """Return the embedded Kubernetes, built."""
    return ensure(DEVCLUSTER, cache_dir=env.cache_dir())


@pytest.fixture(scope="session")
def control_plane(cluster_binary: Path) -> Iterator[RunningCluster]:
    """A control plane alone on loopback: objects, quotas and rights are real, but no pod ever runs."""
    cluster = start_cluster(cluster_binary, "--alone")
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def container_node(cluster_binary: Path) -> Iterator[RunningCluster]:
    """A node with real containers and four pretended GPUs. Needs root and the packages that bin/test installs."""
    cluster = start_cluster(cluster_binary, "--gpus", "4")
    yield cluster
    cluster.stop()
