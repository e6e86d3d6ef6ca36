"""`bin/berth down`: ends a running installation from another terminal and waits until all of it is gone.

With --purge it also removes what the installation made: on a cluster that was given to it, what carries its label and
nothing else; with the embedded one, the data directory. Exit codes: 0 done, 1 not (the reason is said).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from portal import env
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.layout import ROOT, Layout, layout_of
from portal.embedded.postgres import Postgres
from portal.embedded.processes import is_same
from portal.embedded.running import Running, running_on, saved_settings
from portal.embedded.statefile import StateFile

_POLL_S = 0.1
_HURRY_AFTER_S = 60.0
_GIVE_UP_AFTER_S = 120.0
_OURS = ("secret.key", "env", "up.lock")


def parser() -> argparse.ArgumentParser:
    """Return the options of `down`."""
    options = argparse.ArgumentParser(prog="bin/berth down", description="Stop a running Berth.")
    options.add_argument("--data-dir", type=Path, default=None, help="which installation (~/.local/share/berth)")
    options.add_argument("--purge", action="store_true", help="also remove what it made: see docs/operators/start.md")
    options.add_argument("--kubeconfig", type=Path, help="the cluster to purge (the one that `up` was given)")
    options.add_argument("--yes", action="store_true", help="with --purge: really do it")
    return options


def main(argv: Sequence[str]) -> int:
    """Stop, purge where that is wanted, and return the exit code."""
    arguments = parser().parse_args(argv)
    console = Console()
    layout = layout_of(arguments.data_dir or env.data_dir())
    try:
        if arguments.purge:
            _purge(layout, arguments, console)
        else:
            stop(layout, console)
    except StartError as exc:
        console.plain(str(exc))
        return exc.exit_code
    return 0


def stop(layout: Layout, console: Console) -> None:
    """End the `up` of a data directory and whatever an earlier one left. Raises StartError when it does not end."""
    running = running_on(layout)
    if running is not None:
        console.say(f"Stopping Berth at {running.state.get('url', '?')} (pid {running.process.pid})")
        _end(running)
    if not layout.data_dir.is_dir():
        console.say(f"Berth does not run: there is no {layout.data_dir}")
        return
    state = StateFile(layout.data_dir)
    state.take()
    left_over = state.end_left_overs()
    layout.remove_socket_dir()
    state.release()
    if running is None and not left_over:
        console.say(f"Berth does not run on {layout.data_dir}")
    else:
        console.say("Stopped; nothing of it runs any more")


def _end(running: Running) -> None:
    os.kill(running.process.pid, signal.SIGTERM)
    began = time.monotonic()
    hurried = False
    while is_same(running.process):
        waited_s = time.monotonic() - began
        if waited_s > _HURRY_AFTER_S and not hurried:
            os.kill(running.process.pid, signal.SIGTERM)  # the second one hurries
            hurried = True
        if waited_s > _GIVE_UP_AFTER_S:
            raise StartError(
                f"Berth (pid {running.process.pid}) does not end; `kill -9` ends it, and all its processes."
            )
        time.sleep(_POLL_S)


def _purge(layout: Layout, arguments: argparse.Namespace, console: Console) -> None:
    settings = saved_settings(layout)
    if not settings:
        raise StartError(f"Nothing is installed in {layout.data_dir}: it has no file `env`.")
    given = settings.get("BERTH_CLUSTER") == "given" or arguments.kubeconfig is not None
    kubeconfig = arguments.kubeconfig or Path(settings.get("BERTH_KUBECONFIG", ""))
    if not arguments.yes:
        what = f"what this installation made in the cluster of {kubeconfig}" if given else f"all of {layout.data_dir}"
        raise StartError(f"This would remove {what}. Say --yes to do it.")
    stop(layout, console)
    if given:
        _purge_cluster(layout, kubeconfig)
        console.say(f"The data stays in {layout.data_dir}; the next start makes its objects again.")
    else:
        _remove_data(layout)
        console.say(f"Removed {layout.data_dir}")
    if settings.get("DATABASE_URL") != Postgres(layout.data_dir / "postgres", layout.socket_dir).url:
        console.say("The database of DATABASE_URL is not Berth's own, and stays.")


def _purge_cluster(layout: Layout, kubeconfig: Path) -> None:
    if not kubeconfig.is_file():
        raise StartError(f"There is no kubeconfig {kubeconfig}: give it with --kubeconfig.", exit_code=2)
    command = [sys.executable, "-P", "-m", "portal.embedded.cluster_access", "purge", "--admin-kubeconfig"]
    settings = {"PYTHONPATH": str(ROOT), "BERTH_CLUSTER_DIR": str(layout.cluster_dir)}
    done = subprocess.run([*command, str(kubeconfig)], env={**os.environ, **settings}, check=False)
    if done.returncode != 0:
        raise StartError("The cluster was not cleaned completely: say it again when the reason above is mended.")


def _remove_data(layout: Layout) -> None:
    if not all((layout.data_dir / name).exists() for name in _OURS):
        raise StartError(f"{layout.data_dir} does not look like Berth's own: nothing is removed.")
    shutil.rmtree(layout.data_dir)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
