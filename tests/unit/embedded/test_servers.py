"""The embedded PostgreSQL and Valkey, really started, as their supervisor would start them."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
import redis

from portal.embedded.errors import StartError
from portal.embedded.postgres import STOP_SIGNAL, Postgres
from portal.embedded.tether import tethered
from portal.embedded.valkey import Valkey
from tests.plugins.polling import until

Running = Callable[[list[str], Callable[[], bool], signal.Signals], AbstractContextManager[subprocess.Popen[bytes]]]


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """Return a directory whose path leaves room for a socket's name."""
    directory = Path(tempfile.mkdtemp(prefix="berth-"))
    yield directory
    shutil.rmtree(directory)


@contextlib.contextmanager
def running(
    argv: list[str], is_ready: Callable[[], bool], stop_signal: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        tethered(argv, leave_root=True), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
    )
    try:
        until("the server answers", is_ready, timeout_s=20)
        yield process
    finally:
        process.send_signal(stop_signal)
        process.wait(20)


def test_data_survives_a_restart_and_a_kill_of_postgresql(short_dir: Path, tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", short_dir)
    assert server.prepare()
    with (
        running(server.command(), server.is_ready, STOP_SIGNAL) as process,
        psycopg.connect(server.url, autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE t AS SELECT 42 AS answer")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        process.kill()
    assert not server.prepare()
    for _ in range(2):
        with (
            running(server.command(), server.is_ready, STOP_SIGNAL),
            psycopg.connect(server.url) as connection,
        ):
            assert connection.execute("SELECT answer FROM t").fetchone() == (42,)
    assert not server.is_ready()


def test_an_interrupted_first_start_of_postgresql_is_made_again(short_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "postgres.new" / "base").mkdir(parents=True)
    server = Postgres(tmp_path / "postgres", short_dir, durable=False)
    assert server.prepare()
    assert (tmp_path / "postgres" / "PG_VERSION").exists()
    assert not (tmp_path / "postgres.new").exists()


def test_the_files_of_another_postgresql_are_refused_in_words(short_dir: Path, tmp_path: Path) -> None:
    server = Postgres(tmp_path, short_dir)
    (tmp_path / "PG_VERSION").write_text("11\n")
    with pytest.raises(StartError, match="made by PostgreSQL 11"):
        server.prepare()


def test_a_pid_file_of_a_server_long_gone_does_not_look_ready(short_dir: Path, tmp_path: Path) -> None:
    server = Postgres(tmp_path, short_dir)
    # Process 1 lives, but it is no PostgreSQL.
    (tmp_path / "postmaster.pid").write_text("1\n" + "\n" * 6 + "ready\n")
    assert not server.is_ready()


def test_valkey_answers_on_its_socket_and_never_evicts(short_dir: Path) -> None:
    server = Valkey(short_dir)
    with (
        running(server.command(), server.is_ready, signal.SIGTERM),
        redis.Redis.from_url(server.url) as client,
    ):
        assert client.ping()
        assert client.config_get("maxmemory*")["maxmemory-policy"] == "noeviction"
        assert int(client.config_get("maxmemory")["maxmemory"]) == 256 * 1024 * 1024
    assert not server.is_ready()
