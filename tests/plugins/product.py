"""The whole product as a person starts it, `manage.py up`, for tests that drive, kill or watch it.

Nothing here reaches into Django: pages by HTTP, processes by up.json, rows by SQL, objects by kubectl.
"""

import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from portal import env
from portal.embedded.cluster.build import cached_path
from tests.plugins.ordinary import OrdinaryUser
from tests.plugins.person import Person
from tests.plugins.polling import until

ROOT = Path(__file__).parents[2]
ANSWER_TIMEOUT_S = 90.0
CLUSTER_TIMEOUT_S = 1500.0  # a missing binary is built: 10 minutes on two cores
STOP_TIMEOUT_S = 60.0


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Product:
    """One running installation."""

    def __init__(
        self,
        data_dir: Path,
        *arguments: str,
        kubeconfig: Path | None = None,
        servers: dict[str, str] | None = None,
        user: OrdinaryUser | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._user = user  # None: whoever runs the tests
        self._kubeconfig = kubeconfig
        self._servers = servers or {}  # DATABASE_URL, REDIS_URL of servers that are not its own
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.console = data_dir.parent / f"{data_dir.name}.console"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start `manage.py up`; returns at once."""
        kept = {"PATH", "HOME", "LANG", "BERTH_CACHE_DIR", "GOPROXY", "GOFLAGS", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB"}
        env = {key: value for key, value in os.environ.items() if key in kept or key.startswith("PIP_")}
        argv = [sys.executable, str(ROOT / "manage.py"), "up", "--data-dir", str(self.data_dir)]
        if self._kubeconfig:
            argv += ["--kubeconfig", str(self._kubeconfig)]
        argv += ["--port", str(self.port), *self._arguments]
        if self._user:
            argv, env = self._user.command(argv), {**env, **self._user.environment}
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**env, **self._servers, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    def wait_answering(self, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Wait until the portal answers."""
        until("the portal answers", self._answers, timeout_s=timeout_s)

    def wait_cluster(self, timeout_s: float = CLUSTER_TIMEOUT_S) -> None:
        """Wait until the portal says that its cluster is reachable and in step."""
        until("the cluster is in step", lambda: self.ready().get("state") == "ok", timeout_s=timeout_s, every_s=0.5)

    def ready(self) -> dict[str, Any]:
        """Return what /readyz says of the cluster; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as answer:
                cluster: dict[str, Any] = json.load(answer).get("cluster", {})
        except OSError:
            return {}
        return cluster

    def status(self, path: str) -> int:
        """Return the status of a page, 0 while nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as exc:
            return exc.code
        except OSError:
            return 0

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Stop it as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(STOP_TIMEOUT_S)

    def berth(self, *words: str, timeout_s: float = 240.0) -> subprocess.CompletedProcess[str]:
        """Run `bin/berth` for this installation, as from another terminal."""
        command = [str(ROOT / "bin" / "berth"), "--data-dir", str(self.data_dir), *words]
        hidden = {"DATABASE_URL", "REDIS_URL", "BERTH_DATA_DIR"}
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)

    def state(self) -> dict[str, Any]:
        """Return up.json."""
        state: dict[str, Any] = json.loads((self.data_dir / "up.json").read_text())
        return state

    def pid(self, name: str) -> int | None:
        """Return the pid of a child, None while it does not run."""
        pid: int | None = self.state()["children"][name].get("pid")
        return pid

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int | None:
        """Send a signal to one child, by its pid; returns the pid."""
        if pid := self.pid(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        return pid

    def log(self, name: str) -> str:
        """Return what a child has printed."""
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def settings(self) -> dict[str, str]:
        """Return the environment of its Django processes."""
        words = shlex.split((self.data_dir / "env").read_text())
        return dict(word.split("=", 1) for word in words)

    def sql(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement on its database and return the rows."""
        with psycopg.connect(self.settings()["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def kubectl(self, *words: str, check: bool = True, stdin: str | None = None) -> str:
        """Run kubectl as the cluster's admin and return what it prints."""
        program = cached_path(cache_dir=env.cache_dir())
        options = ("--kubeconfig", str(self.admin_kubeconfig), "--request-timeout=10s")
        done = subprocess.run(
            [str(program), "kubectl", *options, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    @property
    def admin_kubeconfig(self) -> Path:
        """Return the kubeconfig of the embedded cluster's administrator."""
        return self._kubeconfig or self.data_dir / "node" / "pki" / "admin.kubeconfig"

    def image(self, name: str) -> str:
        """Return the full reference of one of the images that the node made: pause, busybox or python."""
        images: dict[str, str] = json.loads((self.data_dir / "node" / "images.json").read_text())
        return images[name]

    def roles(self) -> dict[str, int]:
        """Return the pids of the embedded cluster's roles by name."""
        told = json.loads((self.data_dir / "node" / "roles.json").read_text())
        return {name: role["pid"] for name, role in told["roles"].items()}

    def accounts(self) -> dict[str, str]:
        """Return the demo's passwords by user name."""
        lines = (self.data_dir / "demo-accounts.txt").read_text().splitlines()
        words = (line.split() for line in lines if line and not line.startswith("#"))
        return {pair[0]: pair[1] for pair in words if len(pair) >= 2}

    def person(self, name: str) -> Person:
        """Return one of the demo's people, signed in."""
        return Person(self.url, name, self.accounts()[name])

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"up ended with {self.process.returncode}:\n{self.console.read_text()[-4000:]}")
        return self.status("/healthz") == 200


@contextlib.contextmanager
def running_product(*arguments: str, kubeconfig: Path | None = None, without_root: bool = False) -> Iterator[Product]:
    """Run an installation in a new directory, which goes away with it; `without_root` as an ordinary user."""
    with tempfile.TemporaryDirectory(prefix="berth-product-") as directory:
        user = OrdinaryUser(Path(directory) / "home") if without_root else None
        home = user.home if user else Path(directory)
        product = Product(home / "data", *arguments, kubeconfig=kubeconfig, user=user)
        product.start()
        try:
            product.wait_answering()
            yield product
        finally:
            if product.process.poll() is None:
                product.stop()


@pytest.fixture(scope="session")
def demo() -> Iterator[Product]:
    """The demo with its container node, shared by all tests that leave it healthy."""
    with running_product("--demo", "--no-samples") as product:
        product.wait_cluster()
        yield product


@pytest.fixture(scope="module")
def demo_without_root() -> Iterator[Product]:
    """The demo as somebody starts it who is not root: work runs as plain processes. For one module at a time."""
    with running_product("--demo", "--no-samples", without_root=True) as product:
        product.wait_cluster()
        yield product
