"""The keeper of a cluster's roles: order of start, restart of what ended, and an end that says what is missing."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.embedded.errors import StartError
from portal.embedded.node.cluster import Cluster
from portal.embedded.node.holder import Exit
from portal.embedded.node.keeper import Keeper
from portal.embedded.node.rolespec import RoleSpec, always_ready


class PaperCluster(Cluster):
    """A cluster whose roles only get noted."""

    def __init__(self, tmp_path: Path, *roles: tuple[str, tuple[str, ...], Callable[[], bool]]) -> None:
        super().__init__(binary=tmp_path / "binary", state_dir=tmp_path)
        self.started: list[str] = []
        self.on_poll: list[list[Exit]] = []
        self.readied: list[str] = []
        self._specs = [RoleSpec(name, ("true",), tmp_path / name, after, ready) for name, after, ready in roles]

    @property
    def api_url(self) -> str:
        return "https://127.0.0.1:1"

    def roles(self) -> list[RoleSpec]:
        return self._specs

    def start_role(self, role: RoleSpec) -> None:
        self.started.append(role.name)

    def end_role(self, name: str) -> None:
        self.on_poll.append([Exit(name, -1, 9)])

    def on_ready(self, role: str) -> None:
        self.readied.append(role)

    def poll(self, *, timeout_s: float) -> list[Exit]:
        return self.on_poll.pop(0) if self.on_poll else []


def run(cluster: PaperCluster, *, until: Callable[[], bool], start_limit_s: float = 5.0) -> list[str]:
    """Keep the cluster until the condition holds; return what was said."""
    said: list[str] = []
    stop = threading.Event()
    poll = cluster.poll

    def watched(*, timeout_s: float) -> list[Exit]:
        if until():
            stop.set()
        return poll(timeout_s=timeout_s)

    cluster.poll = watched  # type: ignore[method-assign]
    Keeper(cluster, say=said.append, stop=stop, start_limit_s=start_limit_s).run(lambda: said.append("complete"))
    return said


def test_a_role_starts_when_those_before_it_are_ready(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    cluster = PaperCluster(
        tmp_path,
        ("store", (), always_ready),
        ("server", (), lambda: next(answers, True)),
        ("client", ("server",), always_ready),
    )
    said = run(cluster, until=lambda: len(cluster.started) == 3)
    assert cluster.started == ["store", "server", "client"]
    assert cluster.readied[:2] == ["store", "server"]
    assert said in ([], ["complete"])


def test_a_role_that_ended_is_started_again_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "server").write_text("all is well\nout of luck\n")
    cluster = PaperCluster(tmp_path, ("store", (), always_ready), ("server", (), always_ready))
    cluster.on_poll = [[], [Exit("server", 2, 0)]]
    said = run(cluster, until=lambda: len(cluster.started) == 3)
    assert cluster.started == ["store", "server", "server"]
    assert said[0] == "complete"
    assert said[1].startswith("server ended (exit code 2); starting it again in 0.2 s")
    assert said[2:4] == ["  | all is well", "  | out of luck"]
    assert cluster.readied == ["store", "server"]  # what is done once is not done again


def test_a_server_that_came_back_gets_fresh_clients_at_once(tmp_path: Path) -> None:
    cluster = PaperCluster(
        tmp_path, ("server", (), always_ready), ("client", ("server",), always_ready), ("other", (), always_ready)
    )
    specs = cluster.roles()
    specs[1] = dataclasses.replace(specs[1], fresh_after=("server",))
    cluster.on_poll = [[], [Exit("server", -1, 9)]]
    said = run(cluster, until=lambda: len(cluster.started) == 5)
    assert cluster.started == ["server", "other", "client", "server", "client"]
    assert "server is back; starting client afresh" in said
    assert not any(line.startswith("client ended") for line in said)  # no word of a failure or a pause


def test_a_fresh_client_waits_for_those_that_are_made_afresh_with_it(tmp_path: Path) -> None:
    slow = iter([True, False, False, True])
    cluster = PaperCluster(
        tmp_path,
        ("server", (), always_ready),
        ("scheduler", ("server", "plug-in"), always_ready),
        ("plug-in", ("server",), lambda: next(slow, True)),
    )
    specs = cluster.roles()
    specs[1:] = [dataclasses.replace(spec, fresh_after=("server",)) for spec in specs[1:]]
    cluster.on_poll = [*[[]] * 5, [Exit("server", -1, 9)]]
    run(cluster, until=lambda: len(cluster.started) == 6)
    assert cluster.started == ["server", "plug-in", "scheduler", "server", "plug-in", "scheduler"]
    assert next(slow, None) is None  # the scheduler waited until the plug-in was ready


def test_a_start_without_end_names_what_it_waits_for(tmp_path: Path) -> None:
    cluster = PaperCluster(tmp_path, ("store", (), always_ready), ("server", (), lambda: False))
    with pytest.raises(StartError, match="waiting for server"):
        run(cluster, until=lambda: False, start_limit_s=0.05)


def test_an_exit_is_told_by_code_or_signal() -> None:
    assert str(Exit("a", 3, 0)) == "exit code 3"
    assert str(Exit("a", -1, 9)) == "signal SIGKILL"
