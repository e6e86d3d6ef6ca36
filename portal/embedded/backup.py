"""`bin/berth backup FILE`: the database at one moment, the logs it names and the secret key, in one file.

The portal may run meanwhile. Exit codes: 0 written, 1 not (the reason is said, and no file is left).
"""

import argparse
import signal
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from portal import env
from portal.embedded import archive, database, dumping
from portal.embedded.archive import About
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.layout import ROOT, Layout, layout_of
from portal.embedded.running import saved_settings

_MIGRATIONS = "SELECT app || '.' || name FROM public.django_migrations ORDER BY 1"
_CHUNKS = "SELECT path FROM public.workloads_logchunk ORDER BY path"
_LOG_LINES = "SELECT coalesce(sum(log_last_seq), 0) FROM public.workloads_workload"


def parser() -> argparse.ArgumentParser:
    """Return the options of `backup`."""
    options = argparse.ArgumentParser(
        prog="bin/berth backup",
        description="Write all that cannot be made again into one file: the database, the logs, the secret key.",
    )
    options.add_argument("file", type=Path, help="the file to write; only its owner can read it")
    options.add_argument("--data-dir", type=Path, default=None, help="which installation (~/.local/share/berth)")
    options.add_argument("--yes", action="store_true", help="replace a file of this name, once the new one is whole")
    return options


def main(argv: Sequence[str]) -> int:
    """Write a backup and return the exit code."""
    arguments = parser().parse_args(argv)
    console = Console()
    target: Path = arguments.file.expanduser().absolute()
    try:
        about, missing = backup(layout_of(arguments.data_dir or env.data_dir()), target, replace=arguments.yes)
    except (StartError, OSError) as exc:
        console.plain(f"No backup was written: {exc}")
        return 1
    except KeyboardInterrupt:
        console.plain("No backup was written: it was interrupted.")
        return 128 + signal.SIGINT
    console.say(f"Wrote {target} ({target.stat().st_size / 1024**2:.1f} MiB): {summary(about)}")
    if missing:
        console.say(f"{missing} pieces of logs are in the database's list but not in the store: they are not in it.")
    console.say("It holds the secret key and the hashes of all passwords and tokens: keep it as safe as those.")
    return 0


def backup(layout: Layout, target: Path, *, replace: bool) -> tuple[About, int]:
    """Write a backup; return what it says of itself and how many chunks of logs the store lacks. Raises StartError."""
    settings = saved_settings(layout)
    if not settings:
        raise StartError(f"nothing is installed in {layout.data_dir}: it has no file `env`.")
    if not layout.secret_key_file.exists():
        raise StartError(f"{layout.secret_key_file} is missing: without it nobody could use the backup.")
    if target.exists() and not (replace and target.is_file()):
        raise StartError(f"{target} exists already: choose another name, or say --yes to replace it.")
    if not target.parent.is_dir():
        raise StartError(f"there is no directory {target.parent}.")
    with (
        database.answering(layout, settings.get("DATABASE_URL", "")) as url,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".berth-backup-") as scratch,
        database.snapshot(url) as (connection, snapshot),
    ):
        about = _about(connection)
        chunks = database.column(connection, _CHUNKS)
        dumped = Path(scratch) / archive.DUMP
        dumping.dump(url, dumped, snapshot=snapshot)
        return about, _write(target, about, layout=layout, dumped=dumped, chunks=chunks)


def summary(about: About) -> str:
    """Return in one line what a backup holds."""
    rows = about.rows
    return (
        f"{rows.get('core_user', 0)} accounts, {rows.get('tenants_tenant', 0)} tenants, "
        f"{rows.get('workloads_workload', 0)} workloads, {about.log_lines} lines of logs"
    )


def release() -> str:
    """Return the version of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def _about(connection: database.Connection) -> About:
    if not database.is_ours(connection):
        raise StartError("the database has no tables of Berth in its schema `public`: was it ever started?")
    return About(
        format=archive.FORMAT,
        release=release(),
        postgres=database.value(connection, "SHOW server_version"),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        installation=database.value(connection, "SELECT id FROM public.core_installation"),
        migrations=database.column(connection, _MIGRATIONS),
        rows=database.rows_by_table(connection),
        log_lines=int(database.value(connection, _LOG_LINES)),
    )


def _write(target: Path, about: About, *, layout: Layout, dumped: Path, chunks: Sequence[str]) -> int:
    """Write the file. A chunk that is named is never changed, only removed: by retention, or by a fault."""
    missing = 0
    with archive.written(target, about) as writer:
        for name in archive.KEPT_FILES:
            if (layout.data_dir / name).exists():
                writer.add_file(name, layout.data_dir / name)
        writer.add_file(archive.DUMP, dumped)
        for path in chunks:
            try:
                writer.add_file(f"{archive.CHUNKS}/{path}", layout.data_dir / archive.CHUNKS / path)
            except FileNotFoundError:
                missing += 1
    return missing


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended by somebody else: in order as well
    sys.exit(main(sys.argv[1:]))
