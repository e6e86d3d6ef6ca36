"""What `bin/berth status` and `down` say where nothing runs, or where what runs is not whole. No product is started."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded import down, status
from portal.embedded.layout import ROOT, layout_of
from portal.embedded.processes import ProcessId, boot_id, identify
from portal.embedded.running import Running, running_on, started_at
from portal.embedded.statefile import StateFile


def berth(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(ROOT / "bin" / "berth"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory whose `up` is this test's own process."""
    own = identify(os.getpid())
    assert own is not None
    log = tmp_path / "web.log"
    log.write_text("INFO: fine\nERROR: the disk is full\nINFO: fine again\n")
    web = {"pid": own.pid, "start_ticks": own.start_ticks, "state": "retrying", "restarts": 4, "log": str(log)}
    told = {"pid": own.pid, "start_ticks": own.start_ticks, "boot_id": boot_id(), "url": "http://x", "port": 9}
    (tmp_path / "up.json").write_text(json.dumps({**told, "children": {"web": web}}))
    return tmp_path


@pytest.mark.parametrize("verb", ["status", "down"])
def test_where_nothing_was_ever_installed_it_says_so(verb: str, tmp_path: Path) -> None:
    done = berth(verb, "--data-dir", str(tmp_path / "never"))
    assert done.returncode == {"status": 3, "down": 0}[verb], done.stdout + done.stderr
    assert "Berth does not run" in done.stdout
    assert not (tmp_path / "never").exists()


def test_other_commands_need_an_installation(tmp_path: Path) -> None:
    done = berth("createadmin", f"--data-dir={tmp_path}")
    assert done.returncode == 1
    assert "Nothing is installed there" in done.stderr


def test_a_state_file_without_its_lock_is_of_a_start_that_is_over(data_dir: Path) -> None:
    assert running_on(layout_of(data_dir)) is None
    assert status.main(["--data-dir", str(data_dir)]) == status.NOT_RUNNING


def test_a_process_that_keeps_ending_is_told_with_its_last_errors(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = identify(os.getpid())
    assert own is not None
    state = StateFile(data_dir)
    state.take()
    try:
        assert status.main(["--data-dir", str(data_dir)]) == status.TROUBLED
    finally:
        os.close(state._lock_fd or 0)
    said = capsys.readouterr().out
    assert f"Berth runs at http://x (pid {os.getpid()}, since {started_at(own).date()}" in said
    assert "    | ERROR: the disk is full" in said
    assert "fine again" not in said


def test_the_status_says_what_the_node_does_not_do() -> None:
    running = Running(
        ProcessId(os.getpid(), 1), {"node": ["Work runs as plain processes.", "Run only what you trust."]}
    )
    told = status.report_of(layout_of(Path("/nonexistent")), running)
    assert status.lines_of(told)[4:6] == [
        "Node:     Work runs as plain processes.",
        "          Run only what you trust.",
    ]


def test_a_purge_without_yes_changes_nothing_and_says_what_it_would_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "env").write_text("BERTH_CLUSTER=embedded\n")
    assert down.main(["--data-dir", str(tmp_path), "--purge"]) == 1
    assert f"This would remove all of {tmp_path}. Say --yes" in capsys.readouterr().out
    assert (tmp_path / "env").exists()


def test_a_directory_that_does_not_look_like_ours_is_never_removed(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("BERTH_CLUSTER=embedded\n")
    (tmp_path / "thesis.txt").write_text("three years of work")
    assert down.main(["--data-dir", str(tmp_path), "--purge", "--yes"]) == 1
    assert (tmp_path / "thesis.txt").exists()


def test_a_purge_of_a_given_cluster_needs_its_kubeconfig(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "env").write_text("BERTH_CLUSTER=given\nBERTH_KUBECONFIG=/no/such/file\n")
    assert down.main(["--data-dir", str(tmp_path), "--purge", "--yes"]) == 2
    assert "There is no kubeconfig /no/such/file" in capsys.readouterr().out


def test_the_commands_explain_their_options() -> None:
    for module in ("status", "down", "backup", "restore"):
        command = [sys.executable, "-P", "-m", f"portal.embedded.{module}", "--help"]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )
        assert f"bin/berth {module}" in done.stdout


@pytest.mark.parametrize(("verb", "taken"), [("restore", "postgresql:///new"), ("backup", "postgresql:///old")])
def test_only_a_restore_may_go_into_another_database_than_the_installations(
    verb: str, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$DATABASE_URL"\n')
    program.chmod(0o755)
    (tmp_path / "env").write_text(f"DATABASE_URL=postgresql:///old\nBERTH_PYTHON={program}\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql:///new")
    assert berth(verb, "--data-dir", str(tmp_path), "file").stdout.strip() == taken
