"""The supervisor with real processes: order, restarts, clean ends, and nothing left behind."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.embedded.children import ChildSpec, OnExit
from portal.embedded.console import Console
from portal.embedded.statefile import StateFile
from portal.embedded.supervisor import Supervisor
from tests.plugins.polling import until
from tests.unit.embedded.supervised import TIMEOUT_S, Supervised, free_of, is_alive, kill, read_pid, shell

Supervise = Callable[[str], Supervised]
SLEEPER = shell("sleep 600")


def test_children_start_after_what_they_need_is_ready(supervise: Supervise, tmp_path: Path) -> None:
    order = tmp_path / "order"
    supervised = supervise(f"""[
        ChildSpec('first', 'First', {shell(f"sleep 0.3; echo first >> {order}; echo ready 42; sleep 600")},
                  ready=OnLine('ready ')),
        ChildSpec('step', 'Step', {shell(f"sleep 0.1; echo step >> {order}; echo /some/path")}, after=('first',),
                  ready=OnExit(), restart=Restart.NEVER),
        ChildSpec('last', 'Last',
                  ('/bin/sh', '-c', 'echo last $0 $1 >> {order}; sleep 600', ResultOf('first'), ResultOf('step')),
                  after=('step',)),
    ]""")
    until("the last starts", lambda: order.exists() and "last" in order.read_text(), timeout_s=TIMEOUT_S)
    assert order.read_text().splitlines() == ["first", "step", "last 42 /some/path"]
    assert supervised.child("step")["state"] == "done"


def test_a_killed_child_is_started_again(supervise: Supervise) -> None:
    supervised = supervise(f"[ChildSpec('a', 'Child A', {SLEEPER})]")
    first_pid = supervised.wait_for("a", "ready")["pid"]
    kill(first_pid)
    until(
        "it is started again",
        lambda: supervised.child("a").get("restarts") == 1 and supervised.child("a")["state"] == "ready",
        timeout_s=TIMEOUT_S,
    )
    assert supervised.child("a")["pid"] != first_pid
    assert "Child A ended (signal SIGKILL); starting it again" in supervised.stop()


def test_a_child_that_keeps_dying_shows_its_last_lines_and_is_tried_on(supervise: Supervise) -> None:
    supervised = supervise(f"[ChildSpec('a', 'Child A', {shell('echo the disk is on fire; exit 7')})]")
    until("it ended three times", lambda: supervised.child("a").get("restarts", 0) >= 3, timeout_s=TIMEOUT_S)
    said = supervised.stop()
    assert "Child A keeps ending (time 3): exit code 7. It said:" in said
    assert "| the disk is on fire" in said
    assert "Traceback" not in said


def test_a_failed_step_ends_the_start_with_its_last_lines(supervise: Supervise) -> None:
    supervised = supervise(f"""[
        ChildSpec('service', 'Service', {SLEEPER}),
        ChildSpec('step', 'Step', {shell("echo no such table; exit 3")}, after=('service',), ready=OnExit(),
                  restart=Restart.NEVER),
        ChildSpec('never', 'Never', {SLEEPER}, after=('step',)),
    ]""")
    said = supervised.finish()
    assert supervised.process.returncode == 1
    assert "error: Step failed (exit code 3):\n  | no such table" in said
    assert supervised.child("never")["restarts"] == 0
    assert free_of([supervised.child("service")["pid"] or 0])


def test_a_background_step_is_repeated_until_it_succeeds(supervise: Supervise, tmp_path: Path) -> None:
    script = f"test -e {tmp_path}/again && echo built && exit 0; touch {tmp_path}/again; exit 1"
    supervised = supervise(f"""[
        ChildSpec('build', 'Build', {shell(script)}, ready=OnExit(), restart=Restart.UNTIL_SUCCESS)
    ]""")
    assert supervised.wait_for("build", "done")["restarts"] == 1


def test_children_stop_in_reverse_order(supervise: Supervise, tmp_path: Path) -> None:
    order = tmp_path / "order"

    def noting(name: str) -> str:
        return shell(f"trap 'sleep 0.2; echo {name} >> {order}; exit 0' TERM; echo on; while :; do sleep 0.05; done")

    supervised = supervise(f"""[
        ChildSpec('database', 'Database', {noting("database")}, ready=OnLine('on')),
        ChildSpec('web', 'Web', {noting("web")}, after=('database',), ready=OnLine('on')),
    ]""")
    supervised.wait_for("web", "ready")
    supervised.stop()
    assert order.read_text().split() == ["web", "database"]
    assert supervised.process.returncode == 0
    assert not (tmp_path / "up.json").exists()


def test_a_child_that_ignores_the_stop_signal_is_killed_with_its_whole_group(
    supervise: Supervise, tmp_path: Path
) -> None:
    script = f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/pid; echo on; wait; wait"
    supervised = supervise(f"[ChildSpec('a', 'A', {shell(script)}, ready=OnLine('on'), grace_s=0.3)]")
    leader = supervised.wait_for("a", "ready")["pid"]
    member = read_pid(tmp_path / "pid")
    supervised.stop()
    assert free_of([leader, member])


def test_members_of_a_dead_childs_group_do_not_live_on(supervise: Supervise, tmp_path: Path) -> None:
    supervised = supervise(f"[ChildSpec('a', 'A', {shell(f'sleep 600 & echo $! > {tmp_path}/pid; wait')})]")
    member = read_pid(tmp_path / "pid")
    kill(supervised.wait_for("a", "ready")["pid"])
    until("the member ends", lambda: not is_alive(member), timeout_s=TIMEOUT_S)


def test_a_daemon_that_left_its_group_ends_with_the_supervisor(supervise: Supervise, tmp_path: Path) -> None:
    script = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & sleep 600"
    supervised = supervise(f"[ChildSpec('a', 'A', {shell(script)})]")
    daemon = read_pid(tmp_path / "pid")
    supervised.stop()
    assert free_of([daemon])


def test_a_stopped_child_can_still_be_ended(supervise: Supervise) -> None:
    supervised = supervise(f"[ChildSpec('a', 'A', {SLEEPER}, grace_s=15)]")
    pid = supervised.wait_for("a", "ready")["pid"]
    os.kill(pid, signal.SIGSTOP)
    supervised.stop(signal.SIGINT)
    assert free_of([pid])


def test_children_die_with_a_killed_supervisor(supervise: Supervise) -> None:
    supervised = supervise(f"[ChildSpec('a', 'A', {SLEEPER}), ChildSpec('b', 'B', {SLEEPER}, after=('a',))]")
    supervised.wait_for("b", "ready")
    pids = [supervised.child(name)["pid"] for name in "ab"]
    supervised.stop(signal.SIGKILL)
    until("they end", lambda: free_of(pids), timeout_s=TIMEOUT_S)


def test_even_daemons_are_ended_after_a_killed_supervisor(supervise: Supervise, tmp_path: Path) -> None:
    script = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & sleep 600"
    supervised = supervise(f"[ChildSpec('a', 'A', {shell(script)})]")
    daemon = read_pid(tmp_path / "pid")
    supervised.stop(signal.SIGKILL)
    until("the daemon ends", lambda: not is_alive(daemon), timeout_s=TIMEOUT_S)


def test_the_next_start_ends_what_an_earlier_one_left(supervise: Supervise, tmp_path: Path) -> None:
    # As when the machine killed `up` and its janitor together.
    left = subprocess.Popen(["sleep", "600"], env={"BERTH_UP_DIR": str(tmp_path), "BERTH_UP_RUN": "an earlier one"})
    following = supervise(f"[ChildSpec('b', 'B', {SLEEPER})]")
    following.wait_for("b", "ready")
    assert left.wait(5) == -signal.SIGTERM
    assert "left over: 1" in following.stop()


def test_a_second_start_on_the_same_directory_is_refused(supervise: Supervise, tmp_path: Path) -> None:
    running = supervise(f"[ChildSpec('a', 'A', {SLEEPER})]")
    running.wait_for("a", "ready")
    refused = supervise(f"[ChildSpec('a', 'A', {SLEEPER})]")
    said, _ = refused.process.communicate(timeout=20)
    assert refused.process.returncode == 3
    assert f"Berth already runs on {tmp_path} (pid {running.process.pid}" in said
    assert is_alive(running.child("a")["pid"])


def test_a_plan_that_names_an_unknown_child_is_a_mistake(tmp_path: Path) -> None:
    specs = [ChildSpec("a", "A", ("true",), after=("b",))]
    with pytest.raises(ValueError, match="do not come before"):
        Supervisor(specs, log_dir=tmp_path, env={}, console=Console(), state=StateFile(tmp_path))


def test_a_step_that_is_ready_when_it_ends_cannot_be_a_service(tmp_path: Path) -> None:
    specs = [ChildSpec("a", "A", ("true",), ready=OnExit())]
    with pytest.raises(ValueError, match="restarted for ever"):
        Supervisor(specs, log_dir=tmp_path, env={}, console=Console(), state=StateFile(tmp_path))
