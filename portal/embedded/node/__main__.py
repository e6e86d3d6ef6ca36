"""`python -m portal.embedded.node up|down|status`: one foreground process that keeps a whole cluster.

`up` prints `ready KUBECONFIG` when the cluster can be used, and stays until SIGTERM or Ctrl-C.
"""

import argparse
import fcntl
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from portal.embedded.errors import StartError
from portal.embedded.node.alone import ControlPlaneAlone
from portal.embedded.node.cluster import Cluster
from portal.embedded.node.containernode import ContainerNode, NodeOptions, clean_up
from portal.embedded.node.gpulabels import PRODUCTS
from portal.embedded.node.holder import HolderError
from portal.embedded.node.keeper import Keeper
from portal.embedded.node.places import Places
from portal.embedded.node.processes import end_previous, start_ticks
from portal.embedded.node.withprocesses import ProcessCluster
from portal.embedded.node.withscripts import ScriptedCluster

_DOWN_TIMEOUT_S = 40.0


def main(words: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(words)
    places = Places(options.state_dir.absolute())
    command: Callable[[argparse.Namespace, Places], int] = options.command
    try:
        return command(options, places)
    except (StartError, HolderError, TimeoutError) as exc:
        print(exc, file=sys.stderr, flush=True)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m portal.embedded.node", description="The embedded Kubernetes.")
    commands = parser.add_subparsers(required=True)
    up = commands.add_parser("up", help="start and keep the cluster, in the foreground")
    up.set_defaults(command=_up)
    up.add_argument("--binary", type=Path, required=True, help="what `python -m portal.embedded.cluster.build` printed")
    up.add_argument("--alone", action="store_true", help="the control plane without a node; needs no root")
    up.add_argument("--processes", action="store_true", help="pods are processes of this user; needs no root")
    up.add_argument("--scripted", type=int, default=0, metavar="N", help="N nodes whose pods only play a script")
    up.add_argument("--gpus", type=int, default=0, help="how many GPUs a node pretends to have")
    up.add_argument("--gpu-product", default=PRODUCTS[0], choices=PRODUCTS, help="their model")
    up.add_argument("--node-name", default="berth-node", help="name of the node in the cluster")
    down = commands.add_parser("down", help="stop the cluster and remove what is left of it, except its data")
    down.set_defaults(command=_down)
    status = commands.add_parser("status", help="print what is running as JSON")
    status.set_defaults(command=_status)
    for command in (up, down, status):
        command.add_argument("--state-dir", type=Path, required=True, help="where the cluster keeps its data")
    return parser


def _up(options: argparse.Namespace, places: Places) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    places.make()
    with _lock(places) as held:
        if not _take(held):
            raise StartError(f"A cluster with the state directory {places.state_dir} is running already.")
        _write_keeper_pid(held)
        end_previous(places.roles_file)
        clean_up(places)
        _keep(_make(options), stop)
    return 0


def _make(options: argparse.Namespace) -> Cluster:
    if options.alone:
        return ControlPlaneAlone(binary=options.binary, state_dir=options.state_dir)
    node = NodeOptions(name=options.node_name, gpus=options.gpus, gpu_product=options.gpu_product)
    if options.scripted:
        return ScriptedCluster(binary=options.binary, state_dir=options.state_dir, count=options.scripted, options=node)
    if options.processes:
        return ProcessCluster(binary=options.binary, state_dir=options.state_dir, options=node)
    return ContainerNode(binary=options.binary, state_dir=options.state_dir, options=node)


def _keep(cluster: Cluster, stop: threading.Event) -> None:
    began = time.monotonic()

    def say(line: str) -> None:
        print(line, flush=True)

    def on_complete() -> None:
        say(f"up after {time.monotonic() - began:.1f} s at {cluster.api_url}")
        say(f"ready {cluster.admin_kubeconfig}")

    try:
        cluster.prepare()
        cluster.start_holder()
        Keeper(cluster, say=say, stop=stop).run(on_complete)
    finally:
        cluster.stop()


def _down(options: argparse.Namespace, places: Places) -> int:
    if not places.state_dir.is_dir():
        return 0
    with _lock(places) as held:
        if not _take(held):
            keeper = int(held.read() or 0)
            if keeper and start_ticks(keeper):
                os.kill(keeper, signal.SIGTERM)
            deadline = time.monotonic() + _DOWN_TIMEOUT_S
            while not _take(held):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the process {keeper} does not end; end it with SIGKILL and run this again")
                time.sleep(0.1)
        end_previous(places.roles_file)
        clean_up(places)
    return 0


def _status(options: argparse.Namespace, places: Places) -> int:
    if not places.state_dir.is_dir():
        print(json.dumps({"running": False}))
        return 3
    with _lock(places) as held:
        running = not _take(held)
        keeper = int(held.read() or 0) if running else 0
    told = json.loads(places.roles_file.read_text()) if running and places.roles_file.exists() else {}
    print(json.dumps({"running": running, "keeper": keeper, **told}, indent=1))
    return 0 if running else 3


def _lock(places: Places) -> IO[str]:
    path = places.state_dir / "lock"
    path.touch(mode=0o600)
    return path.open("r+", encoding="ascii")


def _take(held: IO[str]) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_keeper_pid(held: IO[str]) -> None:
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()


if __name__ == "__main__":
    sys.exit(main())
