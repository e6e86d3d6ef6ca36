"""The file of a backup: what is refused of it before anything is touched."""

import contextlib
import io
import json
import stat
import tarfile
from pathlib import Path

import pytest

from portal.embedded import archive
from portal.embedded.archive import About
from portal.embedded.errors import StartError

CHUNK = f"{archive.CHUNKS}/{'0' * 36}/1-20"
ABOUT = About(archive.FORMAT, "0.1.0", "18.4", "2026-01-01T00:00:00+00:00", "id", ["core.0001_initial"], {"t": 2}, 20)
Parts = dict[str, bytes]


def write(target: Path, about: About = ABOUT) -> Path:
    with archive.written(target, about) as writer:
        writer.add_bytes("secret.key", b"secret")
        writer.add_bytes(archive.DUMP, b"dump" * 5000)
        writer.add_bytes(CHUNK, b"chunk")
    return target


def parts_of(source: Path) -> Parts:
    with tarfile.open(source) as tar:
        streams = [(member.name, tar.extractfile(member)) for member in tar]
        return {name: stream.read() for name, stream in streams if stream}


def rewrite(source: Path, parts: Parts) -> Path:
    with tarfile.open(source, "w") as tar:
        for name, body in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return source


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write(tmp_path / "whole.backup")


def test_a_whole_backup_says_what_it_is_and_gives_its_parts_back(whole: Path, tmp_path: Path) -> None:
    assert archive.check(whole) == ABOUT
    assert archive.extract(whole, "secret.key", tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert not archive.extract(whole, "demo-accounts.txt", tmp_path / "accounts")
    kept = archive.extract_chunks(whole, tmp_path / "store")
    assert {path.read_bytes() for path in kept} == {b"chunk"}
    assert kept == {tmp_path / "store" / ("0" * 36) / "1-20"}


def test_only_its_owner_can_read_a_backup_and_what_is_taken_out_of_it(whole: Path, tmp_path: Path) -> None:
    archive.extract(whole, "secret.key", tmp_path / "key")
    assert {stat.S_IMODE(path.stat().st_mode) for path in (whole, tmp_path / "key")} == {0o600}


def test_a_backup_that_fails_half_way_leaves_the_old_one_and_nothing_else(whole: Path) -> None:
    before = whole.read_bytes()
    with contextlib.suppress(KeyboardInterrupt), archive.written(whole, ABOUT) as writer:
        writer.add_bytes("secret.key", b"other")
        raise KeyboardInterrupt
    assert whole.read_bytes() == before
    assert list(whole.parent.iterdir()) == [whole]


@pytest.mark.parametrize("left", [0.05, 0.5, 0.9])
def test_a_truncated_backup_is_refused(whole: Path, left: float) -> None:
    body = whole.read_bytes().rstrip(b"\0")
    whole.write_bytes(body[: int(len(body) * left)])
    with pytest.raises(StartError, match=r"is not whole|damaged"):
        archive.check(whole)


def test_a_backup_without_its_last_part_was_never_finished(whole: Path) -> None:
    parts = parts_of(whole)
    del parts[archive.SUMS]
    with pytest.raises(StartError, match="never finished"):
        archive.check(rewrite(whole, parts))


@pytest.mark.parametrize("name", [archive.ABOUT, archive.DUMP, "secret.key", CHUNK])
def test_a_changed_part_is_named(whole: Path, name: str) -> None:
    parts = parts_of(whole)
    parts[name] = parts[name].replace(b"e", b"E").replace(b"d", b"D") + b" "
    if name == archive.ABOUT:
        parts[name] = json.dumps({**json.loads(parts_of(whole)[name]), "release": "6.6.6"}).encode()
    with pytest.raises(StartError, match=f"damaged: {name} is not what was written"):
        archive.check(rewrite(whole, parts))


def test_a_missing_part_is_named(whole: Path) -> None:
    parts = parts_of(whole)
    del parts[CHUNK]
    with pytest.raises(StartError, match=f"damaged: {CHUNK}"):
        archive.check(rewrite(whole, parts))


@pytest.mark.parametrize("name", ["../secret.key", "/etc/passwd", f"{archive.CHUNKS}/../../x/1-2", "up.json"])
def test_a_name_that_no_backup_has_is_refused_and_never_written(whole: Path, tmp_path: Path, name: str) -> None:
    parts = parts_of(whole)
    sums = parts.pop(archive.SUMS)
    rewrite(whole, {**parts, name: b"evil", archive.SUMS: sums})
    with pytest.raises(StartError, match="does not belong into a backup"):
        archive.check(whole)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert len(archive.extract_chunks(whole, inner / "store")) == 1
    assert not list(tmp_path.rglob("x"))


def test_a_link_in_place_of_a_part_is_refused(whole: Path, tmp_path: Path) -> None:
    with tarfile.open(whole, "w") as tar:
        body = parts_of(write(tmp_path / "other.backup"))[archive.ABOUT]
        about = tarfile.TarInfo(archive.ABOUT)
        about.size = len(body)
        tar.addfile(about, io.BytesIO(body))
        link = tarfile.TarInfo(CHUNK)
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(StartError, match="does not belong into a backup"):
        archive.check(whole)
    assert archive.extract_chunks(whole, tmp_path / "store") == set()


def test_another_format_is_refused_with_the_release_that_wrote_it(tmp_path: Path) -> None:
    later = write(tmp_path / "later.backup", About(99, "9.0.0", "30", "2030-01-01T00:00:00+00:00", "id", []))
    with pytest.raises(StartError, match=r"format 99, of release 9\.0\.0"):
        archive.read_about(later)


@pytest.mark.parametrize("body", [b"", b"three years of work", b"\0" * 20480])
def test_another_file_is_no_backup(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "thesis").write_bytes(body)
    with pytest.raises(StartError, match="no backup of Berth"):
        archive.check(tmp_path / "thesis")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="There is no file"):
        archive.check(tmp_path / "never")
