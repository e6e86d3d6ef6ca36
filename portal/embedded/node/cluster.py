"""What the two kinds of cluster have in common: a holder, roles below it, and a file that tells where they are."""

import contextlib
import json
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from portal.embedded.errors import StartError
from portal.embedded.node.api import Api
from portal.embedded.node.holder import Exit, Holder, HolderError, host_pids
from portal.embedded.node.places import Places
from portal.embedded.node.processes import start_ticks
from portal.embedded.node.rolespec import RoleSpec

_STORE_GRACE_S = 5.0


class Cluster(ABC):
    """A cluster of one machine. Subclasses say which roles it has and what they need beforehand."""

    isolated = False

    def __init__(self, *, binary: Path, state_dir: Path) -> None:
        self.binary = binary.absolute()
        self.places = Places(state_dir.absolute())
        self._holder: Holder | None = None
        self._pids: dict[str, int] = {}

    @property
    def admin_kubeconfig(self) -> Path:
        """Return the kubeconfig of the administrator."""
        return self.places.kubeconfig("admin")

    @property
    @abstractmethod
    def api_url(self) -> str:
        """Return the URL of the API server."""

    @property
    def api(self) -> Api:
        """Return the API, asked as the administrator."""
        return Api(self.api_url, pki=self.places.pki)

    @property
    def holder(self) -> Holder:
        """Return the running holder. Raises HolderError before the start."""
        if self._holder is None:
            raise HolderError("the holder is not started")
        return self._holder

    def prepare(self) -> None:
        """Write keys and configuration. Raises StartError."""
        self.places.make()

    def start_holder(self) -> None:
        """Start the process above all roles. Raises HolderError."""
        self._holder = Holder(self.binary, isolated=self.isolated, log_path=self.places.log("holder"))
        self._write_roles()

    @abstractmethod
    def roles(self) -> list[RoleSpec]:
        """Return the roles in the order of their start."""

    def on_ready(self, role: str) -> None:  # noqa: B027 - nothing to do is a fine answer
        """Do what becomes possible when a role is ready for the first time. Raises StartError."""

    def is_complete(self) -> bool:
        """Ask, once every role is ready, whether the cluster as a whole is."""
        return True

    def takes_work(self) -> bool:
        """Ask whether the controllers made what each pod needs in its namespace."""
        return self.api.get("/api/v1/namespaces/default/serviceaccounts/default").status == HTTPStatus.OK

    def start_role(self, role: RoleSpec) -> None:
        """Start a role and note its process id. Raises HolderError."""
        inside = self.holder.start_role(role.name, argv=role.argv, env=role.env, log_path=role.log_path)
        outside = host_pids(self.holder.pid) if self.isolated else {}
        self._pids[role.name] = outside.get(inside, inside)
        self._write_roles()

    def end_role(self, name: str) -> None:
        """Kill a role that keeps nothing of its own; `poll` tells its end. One that has just ended is none to kill."""
        with contextlib.suppress(HolderError):
            self.holder.signal_role(name, signal.SIGKILL)

    def poll(self, *, timeout_s: float) -> list[Exit]:
        """Return the roles that ended since the last call. Raises HolderError when the holder is gone."""
        ended = self.holder.exits(timeout_s=timeout_s)
        for exit_ in ended:
            self._pids.pop(exit_.name, None)
        if ended:
            self._write_roles()
        return ended

    def stop(self) -> None:
        """End everything: the store first, so that it closes its files, the rest at once."""
        if self._holder is None:
            return
        with contextlib.suppress(HolderError):
            # The store waits for its clients, so its only one goes first.
            self._holder.signal_role("kube-apiserver", signal.SIGKILL)
        with contextlib.suppress(HolderError):
            self._holder.signal_role("etcd", signal.SIGTERM)
            deadline = time.monotonic() + _STORE_GRACE_S
            while time.monotonic() < deadline and not any(e.name == "etcd" for e in self._holder.exits(timeout_s=0.2)):
                pass
        self._holder.close()
        self._holder = None
        self.places.roles_file.unlink(missing_ok=True)

    def make_keys(self, *, names: Iterable[str], node: str = "", node_address: str = "") -> None:
        """Make keys, certificates and kubeconfigs, keeping those that are still right. Raises StartError."""
        self.run_binary(
            "pki",
            f"--dir={self.places.pki}",
            f"--server={self.api_url}",
            f"--server-names={','.join(names)}",
            f"--node={node}",
            f"--node-address={node_address}",
        )

    def run_binary(self, *arguments: str) -> None:
        """Run the cluster's program to its end. Raises StartError with what it said."""
        try:
            done = subprocess.run([self.binary, *arguments], capture_output=True, text=True, check=False, timeout=60)
        except OSError as exc:
            raise StartError(f"The embedded Kubernetes cannot be run: {exc}") from exc
        if done.returncode != 0:
            raise StartError(f"`{self.binary.name} {arguments[0]}` failed: {done.stderr.strip()}")

    def _write_roles(self) -> None:
        roles = {name: {"pid": pid, "log": str(self.places.log(name))} for name, pid in self._pids.items()}
        pids = [self.holder.pid, *self._pids.values()]
        told = {
            "holder": self.holder.pid,
            "roles": roles,
            "start_ticks": {str(pid): ticks for pid in pids if (ticks := start_ticks(pid))},
        }
        unfinished = self.places.roles_file.with_suffix(".new")
        unfinished.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.places.roles_file)
