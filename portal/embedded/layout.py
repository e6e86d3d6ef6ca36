"""Where one installation keeps its things, and the few small files that `up` itself writes there."""

import hashlib
import os
import secrets
import shlex
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.errors import StartError

ROOT = Path(__file__).resolve().parents[2]
_LONGEST_SOCKET_DIR = 80  # a unix socket's path has 107 bytes at most, the file's own name included


@dataclass(frozen=True)
class Layout:
    """The paths of one installation."""

    data_dir: Path
    socket_dir: Path

    @property
    def log_dir(self) -> Path:
        """Return the directory with a log file a child."""
        return self.data_dir / "logs"

    @property
    def cluster_dir(self) -> Path:
        """Return where the kubeconfigs of the portal's own identities are put."""
        return self.data_dir / "cluster"

    @property
    def secret_key_file(self) -> Path:
        """Return the file with Django's secret key."""
        return self.data_dir / "secret.key"

    @property
    def env_file(self) -> Path:
        """Return the file that `bin/berth` reads."""
        return self.data_dir / "env"

    @property
    def demo_accounts_file(self) -> Path:
        """Return where the demo's accounts are written."""
        return self.data_dir / "demo-accounts.txt"

    def make_directories(self) -> None:
        """Make the private directories. Raises StartError where the place is not ours to write."""
        try:
            for directory in (self.data_dir, self.log_dir, self.cluster_dir):
                directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.data_dir.chmod(0o700)
        except OSError as exc:
            raise StartError(f"The data directory cannot be made ({exc}): choose another with --data-dir.") from exc

    def make_socket_dir(self) -> None:
        """Make an empty directory for sockets. Raises StartError where it belongs to somebody else."""
        shutil.rmtree(self.socket_dir, ignore_errors=True)
        try:
            self.socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StartError(f"No directory for sockets can be made ({exc}).") from exc
        found = self.socket_dir.lstat()
        if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
            raise StartError(f"{self.socket_dir} belongs to somebody else: remove it, or set XDG_RUNTIME_DIR.")
        self.socket_dir.chmod(0o700)

    def remove_socket_dir(self) -> None:
        """Remove the sockets and their directory."""
        shutil.rmtree(self.socket_dir, ignore_errors=True)

    def make_secret_key(self) -> None:
        """Write a new secret key, once in the life of an installation."""
        if not self.secret_key_file.exists():
            write_private(self.secret_key_file, secrets.token_urlsafe(64) + "\n")

    def write_env_file(self, values: Mapping[str, str]) -> None:
        """Write the variables with which `bin/berth` runs a command in this installation."""
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in sorted(values.items()))
        write_private(self.env_file, "".join(lines))

    def seed_static_manifest(self) -> None:
        """Write an empty list of static files where there is none: the settings use hashed names only if one exists."""
        manifest = self.data_dir / "static" / "staticfiles.json"
        if not manifest.exists():
            manifest.parent.mkdir(parents=True, exist_ok=True)
            manifest.write_text('{"paths": {}, "version": "1.1", "hash": ""}\n', encoding="utf-8")


def layout_of(data_dir: Path) -> Layout:
    """Return the layout of a data directory; its sockets live in a short directory that it alone uses."""
    absolute = data_dir.expanduser().absolute()
    return Layout(absolute, _socket_dir(absolute))


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    unfinished.replace(path)


def _socket_dir(data_dir: Path) -> Path:
    name = f"berth-{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:10]}"
    runtime_dir = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    for base in (Path("/run"), runtime_dir):
        if os.access(base, os.W_OK) and len(os.fsencode(base)) <= _LONGEST_SOCKET_DIR:
            return base / name
    return Path(tempfile.gettempdir()) / f"{name}-{os.geteuid()}"
