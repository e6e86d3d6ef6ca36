"""`manage.py up` itself, without Django: it runs before there is a database, and stays small while it supervises."""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from portal import env
from portal.embedded import listening, plan
from portal.embedded.child import Child
from portal.embedded.children import State
from portal.embedded.cluster.build import cached_path
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.layout import ROOT, Layout, layout_of
from portal.embedded.node import preflight
from portal.embedded.nodechoice import AUTO, Machine, Node, NodeChoice, choose
from portal.embedded.plan import Cluster, Options
from portal.embedded.processnode.isolation import why_not
from portal.embedded.progress import ClusterProgress
from portal.embedded.statefile import StateFile
from portal.embedded.supervisor import Supervisor

DEFAULT_PORT = 8080
DEMO_GPUS = 4
_UNREACHABLE = 2
_CHECK_TIMEOUT_S = 20


def parser() -> argparse.ArgumentParser:
    """Return the options of `up`."""
    options = argparse.ArgumentParser(prog="bin/up", description="Start Berth on this machine.")
    options.add_argument("--data-dir", type=Path, default=None, help="where its state is kept (~/.local/share/berth)")
    options.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"where the portal listens ({DEFAULT_PORT})")
    options.add_argument("--kubeconfig", type=Path, help="use this cluster, with rights to administer it")
    options.add_argument("--no-cluster", action="store_true", help="start without any Kubernetes")
    options.add_argument(
        "--demo", action="store_true", help="make two tenants, some accounts and some work to try it with"
    )
    options.add_argument("--reset-demo", action="store_true", help="remove what the demo made, and make it anew")
    options.add_argument("--no-samples", action="store_true", help="with --demo: accounts alone, no work of their own")
    options.add_argument(
        "--node",
        choices=[AUTO, Node.CONTAINER.value, Node.PROCESS.value],
        default=AUTO,
        help="what runs the work: containers (root, on Linux), or plain processes (anybody); auto takes what it can",
    )
    options.add_argument("--gpus", type=int, help=f"pretended GPUs on the embedded node ({DEMO_GPUS} with --demo)")
    return options


def chosen(arguments: argparse.Namespace, *, choice: NodeChoice | None) -> Options:
    """Turn arguments, environment and the choice of a node into options; without a node there is no cluster."""
    given = _given(arguments)
    node = choice.node if choice else None
    demo = arguments.demo or arguments.reset_demo
    gpus = arguments.gpus if arguments.gpus is not None else DEMO_GPUS * demo
    return Options(
        layout=layout_of(arguments.data_dir or env.data_dir()),
        port=arguments.port,
        public_url=env.public_address(f"http://{listening.HOST}:{arguments.port}").url,
        cluster=_cluster(arguments, given=given, node=node),
        kubeconfig=given.expanduser().absolute() if given else None,
        node=node or Node.CONTAINER,
        gpus=gpus,
        demo=demo,
        reset_demo=arguments.reset_demo,
        samples=not arguments.no_samples,
        database_url=env.text("DATABASE_URL"),
        redis_url=env.text("REDIS_URL"),
    )


def child_environment(options: Options, *, outer: Mapping[str, str], marks: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of the children; a KUBECONFIG that lies around is kept from them."""
    kept = {name: value for name, value in outer.items() if name != "KUBECONFIG"}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **plan.environment(options), **marks}


def main(argv: Sequence[str]) -> int:
    """Start everything and supervise it; return the exit code."""
    console = Console()
    try:
        return _up(parser().parse_args(argv), console)
    except StartError as exc:
        console.plain(f"\nBerth cannot start: {exc}")
        return exc.exit_code
    except env.EnvError as exc:
        console.plain(f"\nBerth cannot start: {exc}")
        return 1
    except KeyboardInterrupt:
        console.plain("\nStopped before everything was started.")
        return 128 + signal.SIGINT


def _up(arguments: argparse.Namespace, console: Console) -> int:
    choice = _node_choice(arguments)
    options = chosen(arguments, choice=choice)
    layout = options.layout
    layout.make_directories()
    state = StateFile(layout.data_dir)
    state.take()
    console.say(f"Berth starts; its data is in {layout.data_dir}")
    if left_over := state.end_left_overs():
        console.say(f"Ended {left_over} processes that an earlier start had left")
    if options.cluster is Cluster.GIVEN and options.kubeconfig:
        _require_reachable(options.kubeconfig)
    with listening.bind(options.port) as listener:
        try:
            _prepare(options, console)
            _tell_about_cluster(options, console, choice)
            return _supervise(options, listener.fileno(), console, state, choice)
        finally:
            layout.remove_socket_dir()
            state.release()


def _prepare(options: Options, console: Console) -> None:
    layout = options.layout
    layout.make_socket_dir()
    layout.make_secret_key()
    layout.seed_static_manifest()
    postgres = plan.postgres_of(options)
    if postgres and postgres.prepare():
        console.say("PostgreSQL: made a new database")
    kubeconfig = {"BERTH_KUBECONFIG": str(options.kubeconfig)} if options.kubeconfig else {}
    layout.write_env_file({**plan.environment(options), **kubeconfig, "BERTH_PYTHON": sys.executable})


def _supervise(options: Options, web_fd: int, console: Console, state: StateFile, choice: NodeChoice | None) -> int:
    port, layout = options.port, options.layout
    specs = plan.children(options, web_fd=web_fd, is_answering=lambda: listening.answers(port))
    environment = child_environment(options, outer=os.environ, marks=state.marks())
    supervisor = Supervisor(specs, log_dir=layout.log_dir, env=environment, console=console, state=state)
    supervisor.facts = {
        "url": options.public_url,
        "port": port,
        "data_dir": str(layout.data_dir),
        "socket_dir": str(layout.socket_dir),
        "node": list(choice.told) if choice and choice.node else [],
    }
    progress = ClusterProgress(layout.cluster_dir / "progress.json")
    if options.cluster is Cluster.NONE:
        progress.begin(stage="absent", detail="")
    else:
        progress.begin(stage="waiting", detail="")
    welcomed = False

    def on_state(child: Child) -> None:
        nonlocal welcomed
        progress.on_state(child)
        if child.spec.name == "web" and child.state is State.READY and not welcomed:
            welcomed = True
            _welcome(options, console)

    supervisor.on_line, supervisor.on_state = progress.on_line, on_state
    return supervisor.run()


def _welcome(options: Options, console: Console) -> None:
    console.plain()
    console.plain(f"  Berth is at {options.public_url}")
    if options.demo:
        _show_demo_accounts(options.layout, console)
    else:
        console.plain(f"  Make the first administrator, in another terminal: {_berth(options.layout)} createadmin")
    console.plain(f"  Logs: {options.layout.log_dir}   Stop: Ctrl-C")
    console.plain()
    if options.cluster is Cluster.EMBEDDED:
        console.say("The embedded Kubernetes comes next; until it is there the portal takes work and lets it wait.")
        if not cached_path(cache_dir=env.cache_dir()).exists():
            console.say("It has to be built first, this once: some 10 minutes on two cores.")


def _show_demo_accounts(layout: Layout, console: Console) -> None:
    try:
        accounts = layout.demo_accounts_file.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise StartError(f"The demo's accounts cannot be read ({exc}).") from exc
    console.plain("  Sign in with one of these accounts:")
    for line in accounts:
        console.plain(f"    {line}")


def _berth(layout: Layout) -> str:
    default = Path("~/.local/share/berth").expanduser().absolute()
    program = ROOT / "bin" / "berth"
    return str(program) if layout.data_dir == default else f"BERTH_DATA_DIR={layout.data_dir} {program}"


def _tell_about_cluster(options: Options, console: Console, choice: NodeChoice | None) -> None:
    for sentence in choice.told if choice else ():
        console.say(sentence)
    if options.cluster is Cluster.NONE:
        console.say("No Kubernetes: the portal takes submissions, and they wait for one.")
        console.say("Another cluster can be given with --kubeconfig.")
    if env.text("KUBECONFIG") and options.cluster is not Cluster.GIVEN:
        console.say("KUBECONFIG is set but not used; to use that cluster, say --kubeconfig")


def _require_reachable(kubeconfig: Path) -> None:
    if not kubeconfig.is_file():
        raise StartError(f"There is no file {kubeconfig}; --kubeconfig takes one.", exit_code=_UNREACHABLE)
    command = [sys.executable, "-P", "-m", "portal.embedded.cluster_access", "check"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        done = subprocess.run(
            [*command, "--admin-kubeconfig", str(kubeconfig)],
            capture_output=True, text=True, check=False, timeout=_CHECK_TIMEOUT_S, env=environment,
        )  # fmt: skip
        said = done.stderr.strip()
    except subprocess.TimeoutExpired:
        said = f"no answer in {_CHECK_TIMEOUT_S} s"
    else:
        if done.returncode == 0:
            return
    last = said.splitlines()[-1] if said else "no reason given"
    raise StartError(f"The cluster of {kubeconfig} cannot be reached: {last}", exit_code=_UNREACHABLE)


def _node_choice(arguments: argparse.Namespace) -> NodeChoice | None:
    """Look at this machine and choose; None where no node is wanted. Raises StartError."""
    if arguments.no_cluster or _given(arguments):
        return None
    state_dir = layout_of(arguments.data_dir or env.data_dir()).data_dir / "node"
    machine = Machine(os.geteuid() == 0, tuple(preflight.obstacles(state_dir)), why_not())
    return choose(arguments.node, machine)


def _given(arguments: argparse.Namespace) -> Path | None:
    return arguments.kubeconfig or _path_or_none(env.text("BERTH_KUBECONFIG"))


def _cluster(arguments: argparse.Namespace, *, given: Path | None, node: Node | None) -> Cluster:
    if arguments.no_cluster:
        return Cluster.NONE
    if given is not None:
        return Cluster.GIVEN
    return Cluster.EMBEDDED if node else Cluster.NONE


def _path_or_none(text: str) -> Path | None:
    return Path(text) if text else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
