"""Keeps a cluster's roles alive: starts each when what it needs is ready, and starts again the one that ended."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from portal.embedded.backoff import Backoff
from portal.embedded.errors import StartError
from portal.embedded.node.cluster import Cluster
from portal.embedded.node.holder import Exit
from portal.embedded.node.rolespec import RoleSpec

_TICK_S = 0.1
_LOG_TAIL_LINES = 5
_BACKOFF = Backoff(first_s=0.2, longest_s=15.0, healthy_after_s=20.0)
_START_LIMIT_S = 300.0


@dataclass
class _Kept:
    spec: RoleSpec
    running: bool = False
    ready: bool = False
    was_ready: bool = False
    ended_by_us: bool = False
    failures: int = 0
    started_at: float = 0.0
    start_at: float = 0.0


class Keeper:
    """The loop over one cluster. It ends when told to, or when the holder is gone."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        say: Callable[[str], None],
        stop: threading.Event,
        start_limit_s: float = _START_LIMIT_S,
    ) -> None:
        self._cluster = cluster
        self._say = say
        self._stop = stop
        self._kept = {spec.name: _Kept(spec) for spec in cluster.roles()}
        self._complete = False
        self._gives_up_at = time.monotonic() + start_limit_s

    def run(self, on_complete: Callable[[], None]) -> None:
        """Keep the roles until the stop event; call `on_complete` once when all is ready for the first time.

        Raises HolderError when the holder is gone, StartError when the first start takes too long.
        """
        while not self._stop.is_set():
            for kept in self._kept.values():
                self._advance(kept)
            if not self._complete:
                self._check_complete(on_complete)
            for ended in self._cluster.poll(timeout_s=_TICK_S):
                self._note(ended)

    def _advance(self, kept: _Kept) -> None:
        if not kept.running:
            if time.monotonic() >= kept.start_at and all(self._kept[name].ready for name in kept.spec.after):
                self._cluster.start_role(kept.spec)
                kept.running, kept.started_at = True, time.monotonic()
            return
        if not kept.ready and kept.spec.ready():
            kept.ready = True
            if kept.was_ready:
                self._refresh_clients(kept.spec.name)
            else:
                kept.was_ready = True
                self._cluster.on_ready(kept.spec.name)

    def _refresh_clients(self, server: str) -> None:
        for client in self._kept.values():
            if client.running and not client.ended_by_us and server in client.spec.fresh_after:
                self._say(f"{server} is back; starting {client.spec.name} afresh")
                client.ended_by_us, client.ready = True, False
                self._cluster.end_role(client.spec.name)

    def _check_complete(self, on_complete: Callable[[], None]) -> None:
        if all(kept.ready for kept in self._kept.values()) and self._cluster.is_complete():
            self._complete = True
            on_complete()
        elif time.monotonic() > self._gives_up_at:
            waiting = [name for name, kept in self._kept.items() if not kept.ready] or ["the node itself"]
            raise StartError(
                f"The embedded Kubernetes is not ready; waiting for {', '.join(waiting)}. "
                f"Its logs: {self._cluster.places.logs}"
            )

    def _note(self, ended: Exit) -> None:
        kept = self._kept[ended.name]
        kept.running = kept.ready = False
        if kept.ended_by_us:
            kept.ended_by_us, kept.start_at = False, time.monotonic()
            return
        kept.failures = _BACKOFF.failures_after(kept.failures, uptime_s=time.monotonic() - kept.started_at)
        delay_s = _BACKOFF.delay_s(kept.failures)
        kept.start_at = time.monotonic() + delay_s
        self._say(f"{ended.name} ended ({ended}); starting it again in {delay_s:.1f} s")
        for line in _last_lines(kept.spec):
            self._say(f"  | {line}")


def _last_lines(spec: RoleSpec) -> list[str]:
    try:
        with spec.log_path.open("rb") as log:
            log.seek(max(0, spec.log_path.stat().st_size - 4096))
            return log.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    except OSError:
        return []
