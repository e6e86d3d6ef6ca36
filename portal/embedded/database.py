"""The database of an installation, for commands that need it whether or not the portal runs."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

from portal.embedded.errors import StartError
from portal.embedded.layout import Layout
from portal.embedded.postgres import STOP_SIGNAL, Postgres
from portal.embedded.running import running_on
from portal.embedded.statefile import StateFile
from portal.embedded.tether import tethered

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 60.0
_ANSWER_TIMEOUT_S = 10

Connection = psycopg.Connection[tuple[object, ...]]


@contextlib.contextmanager
def held(layout: Layout) -> Iterator[None]:
    """Keep every `up` off a data directory meanwhile. Raises StartError where one runs."""
    state = StateFile(layout.data_dir)
    state.take()
    try:
        state.end_left_overs()
        yield
    finally:
        state.release()


def is_own(layout: Layout, url: str) -> bool:
    """Tell whether a DATABASE_URL means the embedded server of this data directory; none does.

    Its sockets may lie elsewhere for another session (`XDG_RUNTIME_DIR`), but always in a directory of the same name.
    """
    if not url:
        return True
    sockets = Path(parse_qs(urlsplit(url).query).get("host", [""])[0]).name
    mark = "-".join(layout.socket_dir.name.split("-")[:2])
    return sockets == mark or sockets.startswith(f"{mark}-")


@contextlib.contextmanager
def answering(layout: Layout, url: str) -> Iterator[str]:
    """Have the database answer, with the portal running or not; yields its URL. Raises StartError.

    Somebody else's is used as it is; the embedded one is started for as long as it is needed.
    """
    if not is_own(layout, url) or running_on(layout) is not None:
        yield url
        return
    with held(layout), started(layout) as own_url:
        yield own_url


@contextlib.contextmanager
def started(layout: Layout) -> Iterator[str]:
    """Run the embedded PostgreSQL of a data directory that is held; yields its URL. Raises StartError."""
    server = Postgres(layout.data_dir / "postgres", layout.socket_dir)
    layout.make_socket_dir()
    try:
        server.prepare()
        layout.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        argv = tethered(server.command(), death_signal=STOP_SIGNAL, leave_root=True)
        with (layout.log_dir / "postgres.log").open("ab") as log:
            # A session of its own: a Ctrl-C on the terminal is for us, who end it in order.
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
            )
        try:
            _wait_ready(server, process)
            yield server.url
        finally:
            process.send_signal(STOP_SIGNAL)
            process.wait(_STOP_TIMEOUT_S)
    finally:
        layout.remove_socket_dir()


@contextlib.contextmanager
def snapshot(url: str) -> Iterator[tuple[Connection, str]]:
    """Yield a connection that sees one moment, and the name by which pg_dump sees the same. Raises StartError."""
    with connected(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        yield connection, str(row[0]) if row else ""


@contextlib.contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect. Raises StartError where the database does not answer, and where it refuses what is asked of it."""
    try:
        with psycopg.connect(url, connect_timeout=_ANSWER_TIMEOUT_S) as connection:
            yield connection
    except psycopg.OperationalError as exc:
        raise StartError(f"The database does not answer: {str(exc).strip()}") from exc
    except psycopg.Error as exc:
        raise StartError(f"The database refuses: {str(exc).strip()}") from exc


def value(connection: Connection, question: str) -> str:
    """Return the one value that a statement asks for, as text; "" for none."""
    row = connection.execute(question.encode()).fetchone()
    return "" if row is None or row[0] is None else str(row[0])


def column(connection: Connection, question: str) -> list[str]:
    """Return the one column that a statement asks for, as text."""
    return [str(row[0]) for row in connection.execute(question.encode())]


def tables(connection: Connection) -> list[str]:
    """Return the names of the tables of the schema `public`."""
    return column(connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")


def is_ours(connection: Connection) -> bool:
    """Tell whether the schema `public` holds the tables of a Berth."""
    question = "SELECT to_regclass('public.core_installation'), to_regclass('public.django_migrations')"
    row = connection.execute(question).fetchone()
    return row is not None and None not in row


def rows_by_table(connection: Connection) -> dict[str, int]:
    """Count the rows of every table."""
    counted = {}
    for name in tables(connection):
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", name))
        row = connection.execute(query).fetchone()
        counted[name] = int(str(row[0])) if row else 0
    return counted


def _wait_ready(server: Postgres, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not server.is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise StartError("The embedded PostgreSQL does not start; its log is logs/postgres.log.")
        time.sleep(0.05)
