import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portal.kube.bootstrap import kubeconfig_of, write_private
from portal.kube.client import connect, connect_logs, load_credentials
from portal.kube.credentials import Credentials, CredentialsFile
from portal.kube.errors import ClusterUnavailable


def kubeconfig(path: Path, **user: Any) -> Path:
    body = kubeconfig_of(Credentials("http://127.0.0.1:8080", None, None), name="berth-writer", token="abc")
    body["users"][0]["user"].update(user)
    path.write_text(json.dumps(body))
    return path


@pytest.mark.parametrize("module", ["client", "gateway", "types", "watch", "fake", "rest", "bootstrap"])
def test_importing_a_module_loads_neither_the_official_library_nor_django(module: str) -> None:
    program = f"import sys, portal.kube.{module}; print([m for m in ('kubernetes', 'django') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_kubeconfig_of_ours_is_read_by_the_official_library(tmp_path: Path) -> None:
    loaded = load_credentials(kubeconfig(tmp_path / "writer.kubeconfig"))
    assert loaded == Credentials("http://127.0.0.1:8080", "Bearer abc", None)


def test_a_token_in_a_file_of_its_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file")
    body = json.loads(kubeconfig(tmp_path / "k").read_text())
    body["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    (tmp_path / "k").write_text(json.dumps(body))
    assert load_credentials(tmp_path / "k").authorization == "Bearer from-file"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"current-context": "x"}', "clusters: 7"])
def test_a_kubeconfig_that_makes_no_sense_is_a_cluster_that_is_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "k").write_text(text)
    with pytest.raises(ClusterUnavailable, match="k is no usable kubeconfig"):
        load_credentials(tmp_path / "k")


def test_connecting_without_a_cluster_fails_only_when_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_CLUSTER_DIR", str(tmp_path))
    connect.cache_clear()
    kube = connect("watcher")
    assert connect("watcher") is kube
    with pytest.raises(ClusterUnavailable):
        kube.check_ready()
    connect.cache_clear()


async def test_logs_without_a_cluster_fail_only_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTH_CLUSTER_DIR", str(tmp_path))
    source = connect_logs()
    with pytest.raises(ClusterUnavailable):
        await anext(source.follow(namespace="n", pod="p", container="c"))
    await source.aclose()


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "k")
    reads: list[Path] = []

    def load(read: Path) -> Credentials:
        reads.append(read)
        return Credentials("x", str(len(reads)), None)

    file = CredentialsFile(path, load)
    assert file.current() is file.current()
    write_private(path, path.read_text())  # the same text and size, but another file
    assert file.current().authorization == "2"


def test_a_private_file_is_replaced_whole_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "cluster" / "writer.kubeconfig"
    write_private(path, "one")
    write_private(path, "two")
    assert path.read_text() == "two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
