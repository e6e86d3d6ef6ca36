"""`bin/up` on a bare Debian 12, as root, with nothing prepared: it starts, works, leaves nothing, and comes back."""

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.embedded.node.places import Places
from tests.heavy.debian_root import CHECKOUT_INSIDE, HOME, Machine, fresh_machine
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import free_port

DATA_INSIDE = f"{HOME}/.local/share/berth"
INSTALL_TIMEOUT_S = 1200.0
ANSWER_LIMIT_S = 60.0
CLUSTER_TIMEOUT_S = 2400.0
STOP_TIMEOUT_S = 90.0
SAMPLES_END_S = 240.0
DONE = ("succeeded", "")
SAMPLES_END = {
    "look-around": DONE,
    "train-spirals": DONE,
    "fails": ("failed", "exit_code"),
    "eats-memory": ("failed", "oom_killed"),
    "long-evaluation": ("cancelled", "cancelled_by"),
    "train-spirals-slow": DONE,
    "prints-fast": DONE,
    "watch-the-load": DONE,
    "transcribe-archive": DONE,
    "transcribe-new": DONE,
}

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(5000)]


class Start:
    """One run of `bin/up --demo` inside, with the time at which each line was said."""

    def __init__(self, machine: Machine, port: int) -> None:
        self.machine = machine
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[tuple[float, str]] = []
        self.process = subprocess.Popen(
            machine.command(f"exec {CHECKOUT_INSIDE}/bin/up --demo --port {port}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def said(self, words: str) -> float | None:
        """Return when a line with these words was said (monotonic), None while it was not."""
        return next((at for at, line in self.lines if words in line), None)

    def wait_said(self, words: str, *, timeout_s: float) -> float:
        """Wait for a line and return when it was said."""
        until(f"bin/up says {words!r}", lambda: self.said(words) or self._fail_if_ended(), timeout_s=timeout_s)
        at = self.said(words)
        assert at is not None
        return at

    def wait_answering(self) -> float:
        """Wait until the portal answers and return when that was."""

        def answers() -> bool:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=10) as answer:
                return bool(answer.status == 200)
            return self._fail_if_ended()

        until("the portal answers", answers, timeout_s=INSTALL_TIMEOUT_S)
        return time.monotonic()

    def stop(self) -> int:
        """Press Ctrl-C and return the exit code."""
        pid = json.loads(self.machine.read(f"{DATA_INSIDE}/up.json"))["pid"]
        self.machine.run(f"kill -INT {pid}")
        code = self.process.wait(STOP_TIMEOUT_S)
        self._reader.join(10)
        return code

    def text(self) -> str:
        """Return all that it said."""
        return "\n".join(line for _, line in self.lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout:
            for line in self.process.stdout:
                self.lines.append((time.monotonic(), line.rstrip()))

    def _fail_if_ended(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"bin/up ended with {self.process.returncode}:\n{self.text()[-4000:]}")
        return False


@pytest.fixture
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine of the test's own: a package that one test installs would be there for the next."""
    with fresh_machine(tmp_path_factory.mktemp("debian") / "root") as made:
        yield made


def traces(machine: Machine) -> dict[str, set[str]]:
    """Return what this installation could leave behind: its link, routes and cgroups on the machine, mounts inside.

    Other installations may come and go meanwhile: everything of one carries the tag of its state directory.
    """
    tag = Places(Path(DATA_INSIDE) / "node").tag

    def lines(*words: str) -> set[str]:
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
        return {line for line in printed if tag in line}

    return {
        "links": lines("ip", "-oneline", "link"),
        "routes": lines("ip", "route", "show", "table", "all"),
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob(f"**/*{tag}*") if path.is_dir()},
        "mounts": machine.mounts(),
    }


def accounts(machine: Machine) -> dict[str, str]:
    lines = machine.read(f"{DATA_INSIDE}/demo-accounts.txt").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {pair[0]: pair[1] for pair in words if len(pair) >= 2}


def progress(machine: Machine) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(machine.read(f"{DATA_INSIDE}/cluster/progress.json"))
    return said


def sign_in_with_all(machine: Machine, url: str) -> None:
    for username, password in accounts(machine).items():
        assert Person(url, username, password).get("/workloads/").status_code == 200


def samples(admin: Person) -> dict[str, tuple[str, str]]:
    """Return how the demo's own work stands: state and reason by name."""
    rows = admin.get("/api/v1/workloads/?limit=100").json()["results"]
    return {row["name"]: (row["state"], row["reason_code"]) for row in rows if row["name"] != "early"}


def submit_early(person: Person) -> str:
    """Submit a job with a shipped image before the cluster is there; its page says what it waits for."""
    form = person.get("/workloads/new/?tenant=vision&template=shell-command").text
    image = re.search(r'name="image" value="([^"]+)"', form)
    assert image, "the template names no image"
    workload = person.submit("vision", name="early", image=image[1], command="echo early")
    page = person.get(f"/workloads/{workload}/").text
    assert "chip-queued" in page
    assert "cluster" in page.lower()
    return workload


def test_one_command_starts_everything_on_a_bare_debian_and_leaves_nothing(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    before = traces(machine)
    start = Start(machine, free_port())
    start.wait_said("Installing for the portal: python3 python3-venv", timeout_s=60)
    installed_at = start.wait_said("Python packages: done", timeout_s=INSTALL_TIMEOUT_S)
    answered_after_s = start.wait_answering() - installed_at
    with capsys.disabled():
        sys.stdout.write(f"\nthe portal answered {answered_after_s:.1f} s after pip was done\n")
    assert answered_after_s <= ANSWER_LIMIT_S
    start.wait_said("Sign in with one of these accounts", timeout_s=30)
    assert start.url in start.text()
    sign_in_with_all(machine, start.url)
    dev = Person(start.url, "dev", accounts(machine)["dev"])
    early = submit_early(dev)
    until(
        "the cluster is ready", lambda: progress(machine)["stage"] == "ready", timeout_s=CLUSTER_TIMEOUT_S, every_s=1.0
    )
    until("the early job succeeds", lambda: "chip-succeeded" in dev.get(f"/workloads/{early}/").text, timeout_s=120)
    assert [line[5] for line in dev.lines(early)] == ["early"]
    admin = Person(start.url, "admin", accounts(machine)["admin"])
    until("the demo's own work has ended as meant", lambda: samples(admin) == SAMPLES_END, timeout_s=SAMPLES_END_S)
    running = traces(machine)
    assert all(running[name] > before[name] for name in ("links", "routes", "cgroups")), running
    first_accounts = accounts(machine)
    assert start.stop() == 0, start.text()
    assert_nothing_left(machine, before)

    again = Start(machine, free_port())
    again.wait_answering()
    assert again.said("Installing") is None
    assert accounts(machine) == first_accounts
    sign_in_with_all(machine, again.url)
    assert again.stop() == 0, again.text()
    assert_nothing_left(machine, before)
    assert "Traceback" not in start.text() + again.text()


def assert_nothing_left(machine: Machine, before: dict[str, set[str]]) -> None:
    assert machine.processes() == []
    after = traces(machine)
    assert {name: after[name] - before[name] for name in before} == {name: set() for name in before}


def test_the_test_command_brings_what_it_needs_on_a_bare_debian(machine: Machine) -> None:
    # A part of the suite that touches database, broker and both languages' tools; the whole of it is what CI runs.
    said = machine.run(f"{CHECKOUT_INSIDE}/bin/test -q tests/unit/core tests/app/core 2>&1 | tail -n 3", timeout_s=1500)
    assert " passed" in said, said
    assert "failed" not in said, said
    for program in ("chromium", "node", "npm", "git", "debootstrap"):
        assert machine.run(f"command -v {program}"), program
