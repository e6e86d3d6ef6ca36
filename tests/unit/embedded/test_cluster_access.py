"""When the portal's identities on a cluster are made anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from portal.embedded.cluster_access import Keeper
from portal.embedded.layout import ROOT
from portal.kube.errors import ClusterUnavailable

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
"""


class Recorder:
    """An access that notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    def establish(self) -> None:
        if self.away:
            raise ClusterUnavailable("connection refused")
        self.asked.append("establish")

    def refresh(self) -> bool:
        self.asked.append("refresh")
        return True


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "admin.kubeconfig"
    path.write_text(KUBECONFIG)
    return path


def keeper_of(kubeconfig: Path, access: Recorder, said: list[str]) -> Keeper:
    return Keeper(kubeconfig=kubeconfig, make_access=lambda: access, say=said.append)


def test_access_is_established_once_and_then_refreshed(kubeconfig: Path) -> None:
    access, said = Recorder(), list[str]()
    keeper = keeper_of(kubeconfig, access, said)
    keeper.step()
    keeper.step()
    assert access.asked == ["establish", "refresh"]
    assert said == ["ready", "the tokens are new"]


def test_a_cluster_that_is_made_again_gets_its_roles_again(kubeconfig: Path) -> None:
    access = Recorder()
    keeper = keeper_of(kubeconfig, access, [])
    keeper.step()
    kubeconfig.write_text(KUBECONFIG + "# another certificate\n")
    keeper.step()
    assert access.asked == ["establish", "establish"]


def test_a_cluster_that_is_away_is_told_once_and_tried_again(kubeconfig: Path) -> None:
    access, said = Recorder(), list[str]()
    access.away = True
    keeper = keeper_of(kubeconfig, access, said)
    keeper.step()
    keeper.step()
    access.away = False
    keeper.step()
    assert said == ["not yet: ClusterUnavailable: connection refused", "ready"]


def test_a_kubeconfig_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    access, said = Recorder(), list[str]()
    keeper = keeper_of(tmp_path / "later", access, said)
    keeper.step()
    (tmp_path / "later").write_text(KUBECONFIG)
    keeper.step()
    assert said[0].startswith("not yet: FileNotFoundError")
    assert access.asked == ["establish"]


def test_an_unreachable_cluster_ends_the_start_with_2_and_a_reason(kubeconfig: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "portal.embedded", "--data-dir", tmp_path / "state", "--kubeconfig", kubeconfig],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"The cluster of {kubeconfig} cannot be reached: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "state" / "postgres").exists()
