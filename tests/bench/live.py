"""P3 and log lines: how long news takes from the cluster to a viewer's websocket, against kubectl in the same run."""

import contextlib
import json
import shlex
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from portal import env
from portal.embedded.cluster.build import cached_path
from tests.bench.apiserver import ApiServer
from tests.bench.figures import milliseconds, ratio, table
from tests.plugins.person import Person
from tests.plugins.polling import until
from tests.plugins.product import Product

TENANT = "vision"
PODS = f"/api/v1/namespaces/berth-{TENANT}/pods"
PHASES = {"Running": "running", "Succeeded": "succeeded"}
END_TIMEOUT_S = 120.0
LINE_EVERY_S = 0.05
_PRINTER = "import time\nfor _ in range({lines}):\n    print(time.time(), flush=True)\n    time.sleep({every_s})\n"

Moments = dict[tuple[str, str], float]  # (workload, state) → when it was heard of first


class Phases:
    """When the API server, kubectl and a viewer first told of each phase of each workload's pod."""

    def __init__(self) -> None:
        self.by_watch: Moments = {}
        self.by_kubectl: Moments = {}
        self.by_socket: Moments = {}
        self._workloads: dict[str, str] = {}  # by the pod's name

    def hear_watch(self, _kind: str, pod: dict[str, Any], moment: float) -> None:
        """Take an event of the watch."""
        workload = (pod["metadata"].get("labels") or {}).get("berth.dev/workload")
        if workload:
            self._workloads[pod["metadata"]["name"]] = workload
            self.by_watch.setdefault((workload, PHASES.get(pod["status"].get("phase", ""), "")), moment)

    def hear_kubectl(self, line: str) -> None:
        """Take a line of `kubectl get -w`."""
        name, _space, phase = line.strip().partition(" ")
        self.by_kubectl.setdefault((name, PHASES.get(phase.strip(), "")), time.monotonic())

    def hear_socket(self, message: str | bytes) -> None:
        """Take a frame of the viewer."""
        frame = json.loads(message)
        if frame["type"] == "workload":
            self.by_socket.setdefault((frame["id"], frame["state"]), time.monotonic())

    def told_by_all(self, workload: str, state: str) -> bool:
        """Tell whether all three have told of a workload's state."""
        key, names = (workload, state), [name for name, owner in self._workloads.items() if owner == workload]
        return (
            key in self.by_watch and key in self.by_socket and any((name, state) in self.by_kubectl for name in names)
        )

    def delays_s(self, workloads: Sequence[str], state: str) -> tuple[list[float], list[float]]:
        """Return how long after the first of watch and kubectl the viewer and kubectl told of a state."""
        kubectl = {(self._workloads.get(name, ""), told): moment for (name, told), moment in self.by_kubectl.items()}
        keys = [(workload, state) for workload in workloads]
        keys = [key for key in keys if key in self.by_watch and key in self.by_socket and key in kubectl]
        first = {key: min(self.by_watch[key], kubectl[key]) for key in keys}
        return [self.by_socket[key] - first[key] for key in keys], [kubectl[key] - first[key] for key in keys]


def phases(product: Product, *, rounds: int, viewers: int) -> str:
    """Return the table of P3 with this many viewers of the same list; about four seconds a round."""
    dev, heard = product.person("dev"), Phases()
    pods = ("get", "pods", "-n", f"berth-{TENANT}", "-w", "--no-headers", "-o")
    columns = "custom-columns=N:.metadata.name,P:.status.phase"
    path = f"/ws/tenants/{TENANT}/workloads/"
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(ApiServer(product.admin_kubeconfig))
        stack.enter_context(api.watching(PODS, heard.hear_watch))
        stack.enter_context(_kubectl_lines(product, (*pods, columns), heard.hear_kubectl))
        for _ in range(viewers - 1):
            stack.enter_context(_viewer(dev, path, lambda _message: None))
        stack.enter_context(_viewer(dev, path, heard.hear_socket))
        _run_one(product, dev, heard)  # until kubectl watches too, which takes it a moment
        workloads = [_run_one(product, dev, heard) for _ in range(rounds)]
    rows = []
    for phase, state in PHASES.items():
        viewer, kubectl = heard.delays_s(workloads, state)
        rows.append([f"pod `{phase}` → frame `{state}`", *milliseconds(viewer)])
        rows.append([f"pod `{phase}` → line of `kubectl get -w`", *milliseconds(kubectl)])
    return table(["from the API server's word", "p50, ms", "p99", "pods"], rows)


def log_lines(product: Product, *, lines: int) -> str:
    """Return the table of lines of a log: printed in the container → frame at a viewer, and → `kubectl logs -f`."""
    dev = product.person("dev")
    script = _PRINTER.format(lines=lines, every_s=LINE_EVERY_S)
    workload = dev.submit(TENANT, name="bench-log", image=product.image("python"), command="", script=script)
    by_viewer: dict[str, float] = {}
    by_kubectl: dict[str, float] = {}
    where = ("-n", f"berth-{TENANT}")
    running = ("get", "pods", *where, "-l", f"berth.dev/workload={workload}", "--field-selector=status.phase=Running")
    pod = until("its pod runs", lambda: product.kubectl(*running, "-o", "name").strip(), timeout_s=END_TIMEOUT_S)
    follow = ("logs", "-f", *where, pod)
    with (
        _viewer(dev, f"/ws/workloads/{workload}/logs/?after=0", lambda message: _note_lines(message, by_viewer)),
        _kubectl_lines(product, follow, lambda line: _note(line, by_kubectl)),
    ):
        seen = (by_viewer, by_kubectl)
        until(
            "both saw all lines", lambda: min(map(len, seen)) >= lines, timeout_s=END_TIMEOUT_S + lines * LINE_EVERY_S
        )
    # Lines from before both were watching are history, not latency.
    begun = max(min(float(line) + delay_s for line, delay_s in one.items()) for one in seen)
    live = [line for line in by_viewer if float(line) > begun]
    viewer, kubectl = [by_viewer[line] for line in live], [by_kubectl[line] for line in live]
    rows = [
        ["→ frame at a viewer", *milliseconds(viewer), ratio(viewer, kubectl)],
        ["→ line of `kubectl logs -f`", *milliseconds(kubectl), "1"],
    ]
    return table(["from `print` in the container", "p50, ms", "p99", "lines", "to kubectl"], rows)


def _run_one(product: Product, dev: Person, heard: Phases) -> str:
    command = shlex.join(["sh", "-c", "sleep 3"])
    workload = dev.submit(TENANT, name="bench-phase", image=product.image("busybox"), command=command)
    until("all saw its end", lambda: heard.told_by_all(workload, "succeeded"), timeout_s=END_TIMEOUT_S)
    return workload


def _note_lines(message: str | bytes, seen: dict[str, float]) -> None:
    """Note the lines of a frame of a log; what is no bytes is a word about the log."""
    if isinstance(message, bytes):
        body = zlib.decompress(message[1:]) if message[0] & 1 else message[1:]
        for line in json.loads(body)["lines"]:
            _note(line[5], seen)


def _note(line: str, seen: dict[str, float]) -> None:
    """Note how old a line was when it came: it says itself when it was printed."""
    arrived = time.time()
    with contextlib.suppress(ValueError):
        seen.setdefault(line.strip(), arrived - float(line))


@contextlib.contextmanager
def _viewer(person: Person, path: str, take: Callable[[str | bytes], None]) -> Iterator[None]:
    """Hold a websocket open and give its messages to `take` in a thread of its own."""
    headers = {"Cookie": person.cookie_header()}
    address = person.url.replace("http", "ws", 1) + path
    with connect(address, origin=Origin(person.url), additional_headers=headers) as socket:
        thread = threading.Thread(target=_receive, args=(socket, take), daemon=True)
        thread.start()
        yield
        socket.close()
        thread.join(END_TIMEOUT_S)


def _receive(socket: ClientConnection, take: Callable[[str | bytes], None]) -> None:
    with contextlib.suppress(ConnectionClosed):
        for message in socket:
            take(message)


@contextlib.contextmanager
def _kubectl_lines(product: Product, words: Sequence[str], take: Callable[[str], None]) -> Iterator[None]:
    """Run kubectl and give each line that it prints to `take`, until the block ends."""
    program = str(cached_path(cache_dir=env.cache_dir()))
    command = [program, "kubectl", "--kubeconfig", str(product.admin_kubeconfig), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        thread = threading.Thread(target=_each_line, args=(process.stdout, take), daemon=True)
        thread.start()
        try:
            yield
        finally:
            process.terminate()
            thread.join(END_TIMEOUT_S)


def _each_line(stream: IO[str], take: Callable[[str], None]) -> None:
    for line in stream:
        take(line)
