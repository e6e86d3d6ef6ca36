"""The command of the bench: what it prints, what it gives as JSON, and what it says of wrong words."""

import json
from pathlib import Path

import pytest

from gpu.bench import bound
from gpu.bench.__main__ import NO_DATA, NO_SOLVER, main
from gpu.bench.contest import Contest
from gpu.bench.figures import churning
from gpu.bench.traces import made_here as made_here_

NODES = "sn,cpu_milli,memory_mib,gpu,model\nn1,64000,262144,2,T4\nn0,96000,393216,8,G2\n"
PODS = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np1,6000,12288,1,460,T4|G2\np2,8000,1024,2,1000,\n"


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "openb_node_list_gpu_node.csv").write_text(NODES)
    (tmp_path / "openb_pod_list_small.csv").write_text(PODS)
    return str(tmp_path)


@pytest.fixture
def made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BERTH_TRACE_DIR", raising=False)


@pytest.mark.usefixtures("made_here")
def test_it_prints_all_policies_the_bound_and_each_measure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--bounds", "1"]) == 0
    out = capsys.readouterr().out
    for word in ("made-here", "random", "best-fit", "fgd, all classes", "berth, reordered", "bound"):
        assert word in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  B")] == (
        ["B1", "B2", "B3", "B4", "B4", "B5", "B6", "B8"]
    )


def test_as_json_it_gives_each_seeds_figures_the_bounds_and_the_arguments(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", folder, "--seeds", "3", "--bounds", "2", "--sick", "0.1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["arguments"]["sick"], found["arguments"]["nodes"]) == (0.1, "permuted")
    small = found["traces"]["small"]
    assert (small["seeds"], list(small["bounds_pct"])) == ([42, 43, 44], ["42", "43"])
    assert {len(runs) for runs in small["runs"].values()} == {3}
    assert set(small["runs"]["berth"][0]) == {"at", "when_full", "dropped", "mean_ms"}
    assert len(small["measures"]["B4 at 100 %"]) == 3


def test_without_bounds_it_needs_no_scipy_and_with_them_it_says_so(
    folder: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bound, "linprog", None)
    assert main(["--folder", folder, "--seeds", "1", "--bounds", "0"]) == 0
    assert "bound" not in capsys.readouterr().out
    assert main(["--folder", folder, "--seeds", "1"]) == NO_SOLVER
    assert "--bounds 0" in capsys.readouterr().err


def test_with_its_nodes_in_the_order_of_one_seed_ours_differs_by_the_requests_only(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", folder, "--seeds", "2", "--bounds", "0", "--nodes", "named", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out)["traces"]["small"]["runs"]
    assert runs["berth"][0]["at"] == runs["berth, reordered"][0]["at"]


@pytest.mark.usefixtures("made_here")
def test_a_larger_cluster_is_told_beside_the_one_it_was_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scale", "2", "--seeds", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 times the nodes" in out
    assert "MiB" in out


@pytest.mark.usefixtures("made_here")
def test_repacking_is_told_beside_none_with_what_it_moved(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repack", "--seeds", "1", "--json"]) == 0
    [told] = json.loads(capsys.readouterr().out)["traces"].values()
    assert 0 < told["measures"]["B7 at 130 %, all pods may be moved"][0] <= 1
    assert 0 <= told["measures"]["moved %, all pods may be moved"][0] <= 5


def test_requests_that_come_and_go_need_lifetimes_and_no_change_in_mid_run(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", folder, "--seeds", "1", "--churn"]) == 0
    assert "does not say how long" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--folder", folder, "--churn", "--gangs", "0.1"])
    assert "not with --churn" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--folder", folder, "--scale", "2", "--repack"])
    assert "not with --scale" in capsys.readouterr().err


def test_where_requests_come_and_go_ours_is_told_as_it_runs_just_begun_and_repacked() -> None:
    told = churning(made_here_(), Contest(seeds=[42], repack=True), requests=400)
    names = ("best-fit", "fgd", "fgd, all classes", "berth", "berth, repacked", "berth, just begun")
    assert list(json.loads(json.dumps(told.plain))["allocated_pct"]) == list(names)
    assert [line.split("  ")[1] for line in told.lines if line.startswith("  B11")] == (
        ["B11", "B11, just begun", "B11, repacked"]
    )
    assert told.lines[-1].startswith("  moved %")


@pytest.mark.parametrize(
    "words", [["--without-nodes", "1.5"], ["--seeds", "0"], ["--cpu", "no"], ["--scale", "10", "--churn"]], ids=" ".join
)
def test_words_that_make_no_sense_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert words[0] in capsys.readouterr().err


def test_a_folder_without_traces_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--folder", str(tmp_path)]) == NO_DATA
    assert "No traces" in capsys.readouterr().err
