"""`bin/berth restore FILE`: puts a backup into a data directory where nothing runs; the next start finds it.

The whole file is checked before anything is touched. Chunks of logs are put beside the old ones first, then the
database is exchanged in one transaction, then the secret key: until that transaction ends, the old state is whole.
"""

import argparse
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import django
from django.db.migrations.loader import MigrationLoader

from portal import env
from portal.embedded import archive, database, dumping
from portal.embedded.archive import About
from portal.embedded.backup import summary
from portal.embedded.console import Console
from portal.embedded.errors import StartError
from portal.embedded.layout import Layout, layout_of
from portal.embedded.running import running_on, saved_settings

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


class HalfRestored(StartError):
    """The database counts already, something after it failed."""


def parser() -> argparse.ArgumentParser:
    """Return the options of `restore`."""
    options = argparse.ArgumentParser(prog="bin/berth restore", description="Put a backup back; Berth must not run.")
    options.add_argument("file", type=Path, help="a file that `bin/berth backup` wrote")
    options.add_argument("--data-dir", type=Path, default=None, help="where to (~/.local/share/berth)")
    options.add_argument("--yes", action="store_true", help="lose what is there already")
    return options


def main(argv: Sequence[str]) -> int:
    """Restore a backup and return the exit code."""
    arguments = parser().parse_args(argv)
    console = Console()
    layout = layout_of(arguments.data_dir or env.data_dir())
    try:
        about = restore(layout, arguments.file.expanduser().absolute(), replace=arguments.yes, console=console)
    except HalfRestored as exc:
        console.plain(str(exc))
        return 1
    except (StartError, OSError) as exc:
        console.plain(f"Nothing was restored: {exc}")
        return 1
    except KeyboardInterrupt:
        console.plain("Nothing was restored: it was interrupted, and what was there is as it was.")
        return 128 + signal.SIGINT
    console.say(f"Restored the backup of {about.made_at} into {layout.data_dir}: {summary(about)}")
    console.say(f"Start it with bin/up --data-dir {layout.data_dir} and the options that you start it with always.")
    console.say("Work that ran when the backup was made, and whose cluster is gone, will be shown as failed.")
    return 0


def restore(layout: Layout, source: Path, *, replace: bool, console: Console) -> About:
    """Put a backup into a data directory, and into the database of DATABASE_URL where that is given.

    Raises StartError for a file that is not whole or of a newer release, a running installation, and for one that would
    be lost without `replace`.
    """
    if (running := running_on(layout)) is not None:
        raise StartError(f"Berth runs on {layout.data_dir} (pid {running.process.pid}): stop it with bin/berth down.")
    about = archive.check(source)
    if unknown := sorted(set(about.migrations) - known_migrations()):
        raise StartError(
            f"{source} is of a newer release ({about.release}): this one does not know {', '.join(unknown[:3])}. "
            "Restore it with that release."
        )
    console.say(f"{source} is whole: the backup of {about.made_at}, release {about.release}")
    layout.make_directories()
    with database.held(layout), _served(layout) as url:
        with database.connected(url) as connection:
            _require_room(connection, replace=replace)
            version = int(database.value(connection, "SHOW server_version_num"))
        _exchange(layout, source, url=url, server_version=version)
    return about


def known_migrations() -> set[str]:
    """Return the migrations that this release has, as app.name. Asks no database."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {f"{app}.{name}" for app, name in loader.disk_migrations}


@contextlib.contextmanager
def _served(layout: Layout) -> Iterator[str]:
    url = env.text("DATABASE_URL") or saved_settings(layout).get("DATABASE_URL", "")
    if database.is_own(layout, url):
        with database.started(layout) as own_url:
            yield own_url
    else:
        yield url


def _require_room(connection: database.Connection, *, replace: bool) -> None:
    if not database.tables(connection):
        return
    if not database.is_ours(connection):
        raise StartError("the database holds tables that are not Berth's: give an empty one in DATABASE_URL.")
    if not replace:
        accounts = database.value(connection, "SELECT count(*) FROM public.core_user")
        workloads = database.value(connection, "SELECT count(*) FROM public.workloads_workload")
        raise StartError(
            f"the database already holds {accounts} accounts and {workloads} workloads. "
            "Say --yes to lose them for what the backup has."
        )


def _exchange(layout: Layout, source: Path, *, url: str, server_version: int) -> None:
    store = layout.data_dir / archive.CHUNKS
    with tempfile.TemporaryDirectory(dir=layout.data_dir, prefix=".restore-") as scratch:
        dumped = Path(scratch) / archive.DUMP
        archive.extract(source, archive.DUMP, dumped)
        files = [name for name in archive.KEPT_FILES if archive.extract(source, name, Path(scratch) / name)]
        # A chunk never changes once it has its name: those of the old state stay as they are beside the new ones.
        kept = archive.extract_chunks(source, store)
        with _Shield() as shield:
            dumping.load(url, dumped, server_version=server_version, before_commit=shield.up)
            try:
                _put_files(Path(scratch), files, layout.data_dir)
                _remove_others(store, kept)
            except OSError as exc:
                raise HalfRestored(f"The database is restored, but not all files: {exc}. Say it again.") from exc


def _put_files(source: Path, names: Sequence[str], target: Path) -> None:
    for name in archive.KEPT_FILES:
        if name in names:
            (source / name).replace(target / name)
        else:
            (target / name).unlink(missing_ok=True)


class _Shield:
    """Once raised, a Ctrl-C waits: the few steps after the commit are done together."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        return self

    def up(self) -> None:
        """Ignore interrupts from now on."""
        self._before = {number: signal.signal(number, signal.SIG_IGN) for number in _INTERRUPTS}

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _remove_others(store: Path, kept: set[Path]) -> None:
    """Take away the chunks that the restored database does not name."""
    for path in store.glob("*/*"):
        if path not in kept:
            path.unlink()
    for directory in store.glob("*"):
        with contextlib.suppress(OSError):
            directory.rmdir()  # those that are empty now


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended by somebody else: in order as well
    sys.exit(main(sys.argv[1:]))
