"""What the pages learn about a cluster that is being made."""

import json
from pathlib import Path
from typing import Any

from portal.embedded.backoff import Backoff
from portal.embedded.child import Child
from portal.embedded.children import ChildSpec, State
from portal.embedded.progress import ClusterProgress, percent_of


def child(name: str, state: State, tmp_path: Path) -> Child:
    made = Child(ChildSpec(name, name.title(), ("true",)), log_path=tmp_path / name, backoff=Backoff())
    made.state = state
    return made


def said(tmp_path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((tmp_path / "progress.json").read_text())
    return read


def test_the_build_is_followed_line_by_line(tmp_path: Path) -> None:
    progress = ClusterProgress(tmp_path / "progress.json")
    progress.begin(stage="waiting", detail="")
    progress.on_state(child("cluster-build", State.STARTING, tmp_path))
    since = said(tmp_path)["since"]
    progress.on_line("cluster-build", "compiling kubelet 40 %")
    assert said(tmp_path) == {"stage": "build", "detail": "compiling kubelet 40 %", "since": since, "percent": 40.0}


def test_lines_of_other_children_say_nothing(tmp_path: Path) -> None:
    progress = ClusterProgress(tmp_path / "progress.json")
    progress.begin(stage="waiting", detail="")
    progress.on_line("worker", "99 %")
    progress.on_state(child("worker", State.READY, tmp_path))
    assert said(tmp_path)["stage"] == "waiting"


def test_a_failed_stage_shows_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "cluster-build").write_text("no go on this machine\n")
    progress = ClusterProgress(tmp_path / "progress.json")
    progress.on_state(child("cluster-build", State.RETRYING, tmp_path))
    assert said(tmp_path)["detail"] == "no go on this machine"


def test_access_makes_it_ready(tmp_path: Path) -> None:
    progress = ClusterProgress(tmp_path / "progress.json")
    progress.on_state(child("node", State.READY, tmp_path))
    progress.on_state(child("cluster-access", State.READY, tmp_path))
    assert said(tmp_path)["stage"] == "ready"


def test_percentages_are_found_and_bounded() -> None:
    assert [percent_of(line) for line in ("7 %", "compiled 12.5% of it", "900 %", "none")] == [7.0, 12.5, 100.0, None]
