"""Keeps Berth's three narrow identities for a cluster valid, with an administrator's kubeconfig that only it reads.

`check` says whether the cluster can be reached at all; `keep` runs for ever and says `ready` when the identities exist;
`purge` removes what this installation made.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, Protocol
from uuid import UUID

import psycopg

from portal import env
from portal.kube.bootstrap import ClusterAccess, write_private
from portal.kube.client import credentials_file
from portal.kube.errors import KubeError
from portal.kube.ownership import purge
from portal.kube.rest import RestKube
from portal.kube.types import NAMESPACES

_LOOK_EVERY_S = 3.0
_CHECK_TIMEOUT_S = 8.0
_PURGE_TIMEOUT_S = 180.0
_ID_FILE = "installation"


class Access(Protocol):
    """What the keeper asks of `portal.kube.bootstrap.ClusterAccess`."""

    def establish(self) -> None:
        """Apply the roles and write fresh kubeconfigs."""

    def refresh(self) -> bool:
        """Write fresh kubeconfigs when it is time; say whether it was."""


class Keeper:
    """Establishes access, again whenever the administrator's kubeconfig changes, and refreshes it in between."""

    def __init__(self, *, kubeconfig: Path, make_access: Callable[[], Access], say: Callable[[str], None]) -> None:
        self._kubeconfig = kubeconfig
        self._make_access = make_access
        self._say = say
        self._access: Access | None = None
        self._seen: tuple[int, int, int] | None = None
        self._last_problem = ""

    def step(self) -> None:
        """Do what is due now; a cluster that is away is told once and tried again at the next step."""
        try:
            self._keep()
        except (KubeError, OSError) as exc:
            problem = f"{type(exc).__name__}: {exc}"
            if problem != self._last_problem:
                self._say(f"not yet: {problem}")
            self._last_problem = problem

    def _keep(self) -> None:
        found = self._kubeconfig.stat()
        now = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._access is None or now != self._seen:
            access = self._make_access()
            access.establish()
            self._access, self._seen = access, now
            self._say("ready")
        elif self._access.refresh():
            self._say("the tokens are new")
        self._last_problem = ""


def check(kubeconfig: Path) -> None:
    """Ask the cluster whether it is up and knows us. Raises KubeError."""
    kube = RestKube(credentials_file(kubeconfig))
    kube.check_ready(timeout_s=_CHECK_TIMEOUT_S)
    kube.get(NAMESPACES, "kube-system", namespace=None)


def main(argv: Sequence[str]) -> int:
    """Check or purge once, or keep for ever."""
    parser = argparse.ArgumentParser(prog="portal.embedded.cluster_access")
    parser.add_argument("verb", choices=["check", "keep", "purge"])
    parser.add_argument("--admin-kubeconfig", type=Path, required=True)
    arguments = parser.parse_args(argv)
    kubeconfig: Path = arguments.admin_kubeconfig
    if arguments.verb == "keep":
        _keep_for_ever(kubeconfig)
    try:
        if arguments.verb == "check":
            check(kubeconfig)
            return 0
        return _purge(kubeconfig)
    except (KubeError, OSError, ValueError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1


def _keep_for_ever(kubeconfig: Path) -> NoReturn:
    keeper = Keeper(
        kubeconfig=kubeconfig,
        make_access=lambda: ClusterAccess(
            admin_kubeconfig=kubeconfig, directory=env.cluster_dir(), installation=_known_installation()
        ),
        say=lambda line: print(line, flush=True),
    )
    while True:
        keeper.step()
        time.sleep(_LOOK_EVERY_S)


def _known_installation() -> UUID:
    """Return the installation's id from its database, and note it for a purge, when there is no database any more."""
    try:
        with psycopg.connect(env.text("DATABASE_URL"), connect_timeout=5) as connection:
            row = connection.execute("SELECT id FROM core_installation").fetchone()
    except psycopg.Error as exc:
        raise OSError(f"the database does not answer: {exc}") from exc
    if row is None:
        raise OSError("the database does not name its installation yet")
    write_private(env.cluster_dir() / _ID_FILE, f"{row[0]}\n")
    return UUID(str(row[0]))


def _purge(kubeconfig: Path) -> int:
    installation = UUID((env.cluster_dir() / _ID_FILE).read_text(encoding="ascii").strip())
    kube = RestKube(credentials_file(kubeconfig))
    is_gone = purge(
        kube, installation=installation, timeout_s=_PURGE_TIMEOUT_S, say=lambda line: print(line, flush=True)
    )
    return 0 if is_gone else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
