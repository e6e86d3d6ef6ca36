"""Where an installation keeps its things."""

import stat
from pathlib import Path

import pytest

from portal.embedded.layout import Layout, layout_of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "state", tmp_path / "sockets")
    made.make_directories()
    return made


def test_the_secret_key_is_made_once_and_private(layout: Layout) -> None:
    layout.make_secret_key()
    first = layout.secret_key_file.read_text()
    layout.make_secret_key()
    assert layout.secret_key_file.read_text() == first
    assert len(first) > 60
    assert stat.S_IMODE(layout.secret_key_file.stat().st_mode) == 0o600


def test_directories_are_private(layout: Layout) -> None:
    layout.make_socket_dir()
    for directory in (layout.data_dir, layout.log_dir, layout.cluster_dir, layout.socket_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_values_in_the_environment_file_are_safe_for_a_shell(layout: Layout) -> None:
    layout.write_env_file({"B": "a b; $(c)", "A": "plain"})
    assert layout.env_file.read_text() == "A=plain\nB='a b; $(c)'\n"
    assert stat.S_IMODE(layout.env_file.stat().st_mode) == 0o600


def test_two_data_directories_have_two_short_socket_directories() -> None:
    one, other = layout_of(Path("/a/" + "long/" * 60)), layout_of(Path("/b"))
    assert one.socket_dir != other.socket_dir
    assert len(str(one.socket_dir / ".s.PGSQL.5432")) < 107


def test_static_files_that_were_collected_are_kept(layout: Layout) -> None:
    layout.seed_static_manifest()
    manifest = layout.data_dir / "static" / "staticfiles.json"
    manifest.write_text("collected")
    layout.seed_static_manifest()
    assert manifest.read_text() == "collected"
