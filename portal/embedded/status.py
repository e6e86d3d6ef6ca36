"""`bin/berth status`: what runs, where, since when, and what went wrong. Needs neither Django nor a database.

Exit codes: 0 everything runs, 1 it runs but something is not right, 3 it does not run.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portal import env
from portal.embedded.layout import Layout, layout_of
from portal.embedded.logfile import LogFile
from portal.embedded.processes import ProcessId
from portal.embedded.running import Running, running_on, started_at

FINE, TROUBLED, NOT_RUNNING = 0, 1, 3
_GOOD_STATES = {"ready", "done"}
_ERROR = re.compile(r"\b(level=(error|critical)|ERROR|CRITICAL|FATAL|PANIC)\b|^\w*(Error|Exception): |\] error: ")
_LOOK_AT_LINES = 400
_SHOWN_ERRORS = 3
_TIMEOUT_S = 5.0


def parser() -> argparse.ArgumentParser:
    """Return the options of `status`."""
    options = argparse.ArgumentParser(
        prog="bin/berth status",
        description="Say what runs. Exit code 0: everything; 1: something is not right; 3: Berth does not run.",
    )
    options.add_argument("--data-dir", type=Path, default=None, help="which installation (~/.local/share/berth)")
    options.add_argument("--json", action="store_true", help="print everything as JSON")
    return options


def main(argv: Sequence[str]) -> int:
    """Print the status and return the exit code."""
    arguments = parser().parse_args(argv)
    layout = layout_of(arguments.data_dir or env.data_dir())
    running = running_on(layout)
    told = {"running": False, "data_dir": str(layout.data_dir)} if running is None else report_of(layout, running)
    if arguments.json:
        print(json.dumps(told, indent=1))
    else:
        print("\n".join(lines_of(told)))
    if running is None:
        return NOT_RUNNING
    return FINE if told["fine"] else TROUBLED


def report_of(layout: Layout, running: Running) -> dict[str, Any]:
    """Return everything that is known of a running installation, as JSON-like data. Asks the portal's /readyz."""
    processes = {name: _process(name, child) for name, child in running.state.get("children", {}).items()}
    readiness = _readiness(int(running.state.get("port") or 0))
    progress = _progress(layout.cluster_dir / "progress.json")
    steady = all(process["state"] in _GOOD_STATES for process in processes.values())
    return {
        "running": True,
        "fine": steady and _is_fine(readiness, progress),
        "url": running.state.get("url", ""),
        "pid": running.process.pid,
        "since": running.since.isoformat(timespec="seconds"),
        "data_dir": str(layout.data_dir),
        "portal": readiness,
        "cluster": progress,
        "node": running.state.get("node", []),
        "processes": processes,
    }


def lines_of(told: dict[str, Any]) -> list[str]:
    """Return the report for people."""
    if not told["running"]:
        return [f"Berth does not run on {told['data_dir']}."]
    cluster, portal = told["cluster"], told["portal"]
    lines = [
        f"Berth runs at {told['url']} (pid {told['pid']}, since {told['since']}, for {_age(told['since'])})",
        f"Data:     {told['data_dir']}",
        f"Portal:   {portal.get('status') or portal.get('problem', 'does not answer')}",
        f"Cluster:  {cluster.get('stage', 'unknown')}"
        + (f" since {cluster['since']}" if cluster.get("since") else "")
        + (f": {cluster['detail']}" if cluster.get("detail") else ""),
        *(f"{'Node:' if n == 0 else '':<10}{line}" for n, line in enumerate(told["node"])),
        "",
        f"{'process':<16}{'state':<10}{'pid':>8}  {'restarts':>8}  since",
    ]
    for name, process in told["processes"].items():
        pid, since = process["pid"] or "", process["since"] or ""
        lines.append(f"{name:<16}{process['state']:<10}{pid:>8}  {process['restarts']:>8}  {since}".rstrip())
        lines += [f"    | {line}" for line in process["errors"]]
    return lines


def _process(name: str, child: dict[str, Any]) -> dict[str, Any]:
    pid, ticks, state = child.get("pid"), child.get("start_ticks"), str(child.get("state", ""))
    since = started_at(ProcessId(pid, ticks)).isoformat(timespec="seconds") if pid and ticks else None
    troubled = bool(child.get("restarts")) or state not in _GOOD_STATES
    log = LogFile(Path(child.get("log") or name))
    errors = [line for line in log.last_words(_LOOK_AT_LINES) if _ERROR.search(line)][-_SHOWN_ERRORS:]
    return {
        "state": state,
        "pid": pid,
        "since": since,
        "restarts": child.get("restarts", 0),
        "exit_code": child.get("exit_code"),
        "errors": errors or (log.last_words(_SHOWN_ERRORS) if troubled and state == "retrying" else []),
    }


def _readiness(port: int) -> dict[str, Any]:
    """Return what the portal says of itself; its own words also where it says so with 503."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=_TIMEOUT_S) as answer:
            body = answer.read()
    except urllib.error.HTTPError as exc:
        body = exc.read()
    except OSError as exc:
        return {"problem": f"does not answer ({exc})"}
    return _object(body)


def _is_fine(readiness: dict[str, Any], progress: dict[str, Any]) -> bool:
    """Tell whether the portal is whole; a cluster that was never wanted is not missed."""
    if progress.get("stage") == "absent":
        return readiness.get("database") == "ok" and readiness.get("broker") == "ok"
    return readiness.get("status") == "ok"


def _progress(path: Path) -> dict[str, Any]:
    try:
        return _object(path.read_bytes())
    except OSError:
        return {}


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _age(since: str) -> str:
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    minutes, hours = seconds // 60, seconds // 3600
    if hours >= 48:
        return f"{hours // 24} days"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
