"""The controller process: while it leads, watches the cluster and writes what it sees; else it stands by."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.management.base import BaseCommand

from portal.core.installation import installation_id
from portal.core.leases import Held
from portal.core.processes import run_leader
from portal.kube.client import connect
from portal.kube.gateway import Kube
from portal.kube.types import EVENTS, JOBS, NODES, PODS, Event, Job, Node, Pod
from portal.kube.watch import Change, Reflector, Selection
from workloads.controller import Controller, Index
from workloads.controller.events import EventBox
from workloads.controller.health import keep_status

LEASE = "controller"
T = TypeVar("T", Job, Pod, Node)


class Command(BaseCommand):
    help = "Watch the cluster and keep the rows of workloads, pods and nodes in step with it."

    def handle(self, *args: Any, **options: Any) -> None:
        run_leader(LEASE, lead)


def lead(held: Held, stop: threading.Event, kube: Kube | None = None) -> None:
    """Run one term: the reflectors and the status check in threads, the loop in this one."""
    seen_by = kube or connect("watcher")
    index, events = Index(), EventBox()
    reflectors = _reflectors(seen_by, index)
    told = Reflector(kube=seen_by, selection=Selection(EVENTS, Event), sink=_event_sink(events))
    controller = Controller(held=held, kube=seen_by, index=index, events=events)

    def in_step() -> bool:
        return controller.is_current() and all(reflector.health().synced for reflector in reflectors)

    checks = {"held": held, "kube": seen_by, "in_step": in_step, "stop": stop}
    # Pages are in step without events: whether those come decides nothing.
    watches = [reflector.run for reflector in reflectors] + [told.run]
    threads = [threading.Thread(target=watch, args=(stop,), daemon=True) for watch in watches]
    threads.append(threading.Thread(target=keep_status, kwargs=checks, name="cluster-status", daemon=True))
    for thread in threads:
        thread.start()
    try:
        controller.run(stop)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _reflectors(kube: Kube, index: Index) -> list[Reflector[Any]]:
    ours = f"berth.dev/installation={installation_id()}"
    return [
        Reflector(kube=kube, selection=Selection(JOBS, Job, ours), sink=_sink(index, Job, index.job)),
        Reflector(kube=kube, selection=Selection(PODS, Pod, ours), sink=_sink(index, Pod, index.pod)),
        Reflector(kube=kube, selection=Selection(NODES, Node), sink=_sink(index, Node, index.node)),
    ]


def _sink(index: Index, kind: type[T], put: Callable[[T], None]) -> Callable[[Change[T]], None]:
    """Return what hands the changes of one kind to the index."""

    def take(change: Change[T]) -> None:
        if change.type == "SYNCED":
            index.synced(kind)
        elif change.type == "DELETED":
            index.gone(kind, change.metadata.uid)
        elif change.object is not None:
            put(change.object)

    return take


def _event_sink(box: EventBox) -> Callable[[Change[Event]], None]:
    """Return what hands events on; one that the cluster forgets stays in our rows."""

    def take(change: Change[Event]) -> None:
        if change.type != "DELETED" and change.object is not None:
            box.put(change.object)

    return take
