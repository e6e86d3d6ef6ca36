"""Dumps a database and puts a dump back, with PostgreSQL's own programs, which the embedded server brings along."""

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from portal.embedded.errors import StartError
from portal.embedded.postgres import program_dir

_SHOWN_LINES = 5
_SETTING_SINCE_17 = b"SET transaction_timeout = 0;"
_PREAMBLE_LINES = 60
_THE_SCHEMA = re.compile(r" (SCHEMA - public|COMMENT - SCHEMA public) ")
# Only what a Berth has, never what an extension brought. Waiting for others' locks for ever would look like a hang.
_EMPTY_SCHEMA = b"""
SET LOCAL lock_timeout = '20s';
DO $$
DECLARE found record;
BEGIN
  FOR found IN
    SELECT format('DROP TABLE IF EXISTS %s CASCADE', c.oid::regclass) AS command
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public' AND p.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  LOOP
    EXECUTE found.command;
  END LOOP;
END $$;
"""


def dump(url: str, target: Path, *, snapshot: str) -> None:
    """Write the schema `public` as it is in an exported snapshot; people may go on working. Raises StartError."""
    _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--schema=public",
         f"--snapshot={snapshot}", f"--file={target}", url=url)  # fmt: skip


def load(url: str, source: Path, *, server_version: int, before_commit: Callable[[], None]) -> None:
    """Put a dump in place of everything in the schema `public`, in one transaction. Raises StartError.

    `server_version` as PostgreSQL numbers it (180004). Whatever stops this before the commit changes nothing.
    """
    wanted = source.with_name("contents")
    wanted.write_text(_contents_without_schema(source), encoding="utf-8")
    words = ["--no-owner", "--no-privileges", f"--use-list={wanted}", "--file=-", str(source)]
    with tempfile.TemporaryFile() as said_by_restore, tempfile.TemporaryFile() as said_by_psql:
        into = ["--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1"]
        # Sessions of their own: a Ctrl-C on the terminal is for us alone, who know when it comes too late.
        psql = subprocess.Popen(
            [_program("psql"), *into, f"--dbname={_without_password(url)}"], start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said_by_psql, env=_environment(url),
        )  # fmt: skip
        restore = subprocess.Popen(
            [_program("pg_restore"), *words], start_new_session=True, stdout=subprocess.PIPE, stderr=said_by_restore
        )
        try:
            _pour(restore, psql, server_version=server_version, before_commit=before_commit)
        finally:
            # Without its COMMIT the transaction ends as if it had never been.
            for process in (restore, psql):
                _end(process)
        if restore.returncode != 0 or psql.returncode != 0:
            raise StartError(f"The database was left as it was: {_last(said_by_psql) or _last(said_by_restore)}")


def _pour(
    restore: "subprocess.Popen[bytes]",
    psql: "subprocess.Popen[bytes]",
    *,
    server_version: int,
    before_commit: Callable[[], None],
) -> None:
    script, into = _pipe(restore.stdout), _pipe(psql.stdin)
    try:
        into.write(b"BEGIN;\n" + _EMPTY_SCHEMA)
        into.writelines(_understood(script, server_version))
        if restore.wait() == 0:
            before_commit()
            into.write(b"\nCOMMIT;\n")
        into.close()
    except BrokenPipeError:
        restore.kill()  # psql stopped at an error, which it has told
    psql.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise TypeError("the program was started without this pipe")
    return stream


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _understood(script: Iterable[bytes], server_version: int) -> Iterable[bytes]:
    """Yield the script; an older server does not know one of the settings that its head names, all at their default."""
    for number, line in enumerate(script):
        if server_version < 170000 and number < _PREAMBLE_LINES and line.strip() == _SETTING_SINCE_17:
            continue
        yield line


def _contents_without_schema(source: Path) -> str:
    """Return the dump's table of contents without the schema itself, which every database has."""
    listed = _run("pg_restore", "--list", str(source)).splitlines()
    return "\n".join(line for line in listed if not _THE_SCHEMA.search(line)) + "\n"


def _run(program: str, *words: str, url: str = "") -> str:
    target = [f"--dbname={_without_password(url)}"] if url else []
    done = subprocess.run(
        [_program(program), *target, *words], env=_environment(url), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-_SHOWN_LINES:])
        raise StartError(f"{program} failed: {last}")
    return done.stdout


def _program(name: str) -> str:
    return str(program_dir() / name)


def _without_password(url: str) -> str:
    parts = conninfo_to_dict(url)
    parts.pop("password", None)
    return make_conninfo("", **parts)


def _environment(url: str) -> dict[str, str]:
    """Return the environment with the password in it: a command line can be read by everybody on the machine."""
    try:
        password = conninfo_to_dict(url).get("password") if url else None
    except ProgrammingError as exc:
        raise StartError(f"DATABASE_URL cannot be read: {exc}") from exc
    return {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}


def _last(told: IO[bytes]) -> str:
    told.seek(0)
    return "\n".join(told.read().decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:])
