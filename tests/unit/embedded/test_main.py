"""How arguments and environment become options, and what people read when a start is refused. Nothing is started."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded.__main__ import child_environment, chosen, main, parser
from portal.embedded.layout import ROOT
from portal.embedded.node import preflight
from portal.embedded.nodechoice import Node, NodeChoice
from portal.embedded.plan import Cluster, Options


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BERTH_KUBECONFIG", "KUBECONFIG", "BERTH_PUBLIC_URL", "DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BERTH_DATA_DIR", str(tmp_path / "state"))


def options_of(*words: str, node: Node | None = Node.CONTAINER) -> Options:
    return chosen(parser().parse_args(words), choice=NodeChoice(node, ()))


def start(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "portal.embedded", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_a_capable_machine_gets_the_embedded_cluster() -> None:
    assert options_of().cluster is Cluster.EMBEDDED


def test_a_machine_that_can_have_no_node_gets_no_cluster() -> None:
    assert options_of(node=None).cluster is Cluster.NONE


def test_the_chosen_node_is_started() -> None:
    assert options_of(node=Node.PROCESS).node is Node.PROCESS
    assert options_of(node=Node.PROCESS).cluster is Cluster.EMBEDDED


def test_a_node_that_cannot_be_had_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "obstacles", lambda _state_dir: ["The container node needs root."])
    assert main(["--data-dir", str(tmp_path / "state"), "--node", "container"]) == 1
    assert not (tmp_path / "state").exists()


def test_a_kubeconfig_is_taken_from_the_option_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_KUBECONFIG", "/from/environment")
    assert options_of().kubeconfig == Path("/from/environment")
    assert options_of("--kubeconfig", "/from/option").kubeconfig == Path("/from/option")
    assert options_of().cluster is Cluster.GIVEN


def test_a_kubeconfig_that_lies_around_is_neither_used_nor_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/somebodys/production")
    options = options_of()
    assert options.cluster is Cluster.EMBEDDED
    assert "KUBECONFIG" not in child_environment(options, outer=os.environ, marks={})


def test_the_demo_brings_four_pretended_gpus_unless_told_otherwise() -> None:
    assert options_of().gpus == 0
    assert options_of("--demo").gpus == 4
    assert options_of("--demo", "--gpus", "1").gpus == 1


def test_the_address_follows_the_port() -> None:
    assert options_of("--port", "9000").public_url == "http://127.0.0.1:9000"


def test_plain_http_from_elsewhere_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PUBLIC_URL", "http://berth.example")
    done = start("--port", "0", "--no-cluster")
    assert done.returncode == 1
    assert "Berth cannot start: BERTH_PUBLIC_URL='http://berth.example' is plain http" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [("up", "--no-cluster"), ("check",)])
def test_each_command_refuses_it_too(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_PUBLIC_URL", "http://berth.example")
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "is plain http" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named_together_with_the_way_out() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = start("--port", str(port), "--no-cluster")
    assert done.returncode == 1
    assert f"Port {port} is taken by another program" in done.stdout
    assert "--port" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_port_that_is_none_is_refused_in_words() -> None:
    done = start("--port", "70000", "--no-cluster")
    assert done.returncode == 1
    assert "70000 is no port" in done.stdout


def test_a_kubeconfig_that_is_not_there_ends_the_start_with_2(tmp_path: Path) -> None:
    done = start("--port", "0", "--kubeconfig", str(tmp_path / "nothing"))
    assert done.returncode == 2
    assert f"There is no file {tmp_path / 'nothing'}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_data_directory_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = start("--data-dir", str(tmp_path / "file" / "below"), "--no-cluster")
    assert done.returncode == 1
    assert "The data directory cannot be made" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
