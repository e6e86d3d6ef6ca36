"""A reflector: one list and watch over one kind, kept up for ever, told to a sink as changes.

It never ends because the API server is away, and it keeps of each object only its metadata.
Every object reaches the sink at least once after each of its changes that lasts; a version that the sink took
is not told again. The sink runs in the reflector's thread; an exception from it means "again later", and
PoisonObject means "leave this one out".
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from portal.kube.decode import metadata_of
from portal.kube.errors import Gone, KubeError, PoisonObject
from portal.kube.gateway import Kube, Poison, WatchEvent, WatchStream
from portal.kube.types import ObjectMeta, Resource

T = TypeVar("T")
ChangeType: TypeAlias = Literal["ADDED", "MODIFIED", "DELETED", "SYNCED"]
logger = logging.getLogger(__name__)
_STOP_RETRY_S = 0.05


class Change(msgspec.Struct, Generic[T], frozen=True):
    """What the sink gets.

    SYNCED follows every full list and has no object. A DELETED whose object is None was missed and found by a list:
    then `metadata` is what was last seen.
    """

    type: ChangeType
    metadata: ObjectMeta = ObjectMeta()
    object: T | None = None


Sink: TypeAlias = Callable[[Change[T]], None]


@dataclass(frozen=True)
class Timing:
    """How patient a reflector is, in seconds. Bookmarks come each 60 s, so 70 s of silence mean a dead connection."""

    inactivity_s: float = 70.0
    relist_every_s: float = 300.0
    backoff_first_s: float = 0.25
    backoff_max_s: float = 5.0
    retry_after_max_s: float = 30.0
    relist_jitter_s: float = 1.0
    page_size: int = 500


@dataclass(frozen=True)
class Selection(Generic[T]):
    """What to watch and as what to decode it."""

    resource: Resource
    as_type: type[T]
    label_selector: str = ""
    namespace: str | None = None


@dataclass(frozen=True)
class Health:
    """How a reflector fares. `synced`: a list was told in full and the watch after it is open."""

    synced: bool
    last_contact_age_s: float | None
    last_error: str
    quarantined: tuple[Poison, ...]


@dataclass
class _State:
    """What the two threads of a reflector share; simple assignments only."""

    synced: bool = False
    last_contact: float | None = None
    last_error: str = ""
    failures: int = 0
    cut: Callable[[], None] | None = None  # ends the open watch
    known: dict[str, ObjectMeta] = field(default_factory=dict)
    quarantined: dict[str, Poison] = field(default_factory=dict)


class Reflector(Generic[T]):
    """Keeps one selection of objects told to one sink."""

    def __init__(self, *, kube: Kube, selection: Selection[T], sink: Sink[T], timing: Timing | None = None) -> None:
        self._kube = kube
        self._selection = selection
        self._sink = sink
        self._timing = timing or Timing()
        self._state = _State()
        self._random = random.Random()  # noqa: S311  jitter, no secret

    def run(self, stop: threading.Event) -> None:
        """List and watch until `stop` is set; returns soon after that, even out of a silent watch."""
        finished = threading.Event()
        guard = threading.Thread(target=self._guard, args=(stop, finished), daemon=True)
        guard.start()
        try:
            while not stop.is_set():
                self._run_once(stop)
        finally:
            finished.set()
            guard.join()

    def health(self) -> Health:
        """Return how the reflector fares now; may be called from any thread."""
        state = self._state
        age_s = None if state.last_contact is None else time.monotonic() - state.last_contact
        return Health(state.synced, age_s, state.last_error, tuple(state.quarantined.copy().values()))

    def _run_once(self, stop: threading.Event) -> None:
        try:
            self._list_and_watch(stop)
        except Gone as error:
            self._failed(error)
            stop.wait(self._random.uniform(0, self._timing.relist_jitter_s))
        except Exception as error:  # whatever it is, a watch that ends tells nobody anything any more
            self._failed(error)
            stop.wait(self._backoff_s(error))

    def _failed(self, error: Exception) -> None:
        self._state.synced = False
        self._state.failures += 1
        self._state.last_error = f"{type(error).__name__}: {error}"[:500]
        told = logger.warning if isinstance(error, KubeError) else logger.exception
        told("the watch of %s was interrupted: %s", self._selection.resource.plural, self._state.last_error)

    def _backoff_s(self, error: Exception) -> float:
        """Return a growing wait with jitter between half and all of it; a server that names one is obeyed."""
        timing = self._timing
        full_s = min(timing.backoff_max_s, timing.backoff_first_s * 2.0 ** min(self._state.failures - 1, 16))
        asked_s = min(getattr(error, "retry_after_s", None) or 0.0, timing.retry_after_max_s)
        return asked_s + full_s * self._random.uniform(0.5, 1.0)

    def _list_and_watch(self, stop: threading.Event) -> None:
        version = self._list()
        relist_at = time.monotonic() + self._timing.relist_every_s * self._random.uniform(0.9, 1.1)
        while not stop.is_set() and time.monotonic() < relist_at:
            began = time.monotonic()
            version = self._watch(version, timeout_s=relist_at - began)
            if time.monotonic() - began < self._timing.backoff_first_s:
                stop.wait(self._timing.backoff_first_s)  # a server that closes at once is not asked in a tight loop

    def _list(self) -> str:
        chosen = self._selection
        listing = self._kube.list(
            chosen.resource,
            namespace=chosen.namespace,
            label_selector=chosen.label_selector,
            page_size=self._timing.page_size,
            as_type=chosen.as_type,
        )
        self._contact()
        present = {metadata_of(item).uid for item in listing.items}
        present |= {poison.uid for poison in listing.poisoned}
        for uid in [uid for uid in self._state.known if uid not in present]:
            self._tell_deleted(self._state.known[uid], None)
        for uid in [uid for uid in self._state.quarantined if uid not in present]:
            del self._state.quarantined[uid]
        for poison in listing.poisoned:
            self._quarantine(poison)
        for item in listing.items:
            self._tell_present(item)
        self._sink(Change("SYNCED"))
        self._succeeded()
        return listing.resource_version

    def _watch(self, version: str, *, timeout_s: float) -> str:
        chosen = self._selection
        opened: WatchStream[T] = self._kube.watch(
            chosen.resource,
            namespace=chosen.namespace,
            label_selector=chosen.label_selector,
            resource_version=version,
            timeout_s=max(1.0, timeout_s),
            as_type=chosen.as_type,
        )
        with opened as stream:
            self._contact()
            self._state.cut = stream.cancel
            try:
                for event in stream:
                    self._contact()
                    self._take(event)
                    self._succeeded()
                    version = event.resource_version or version
            finally:
                self._state.cut = None
        return version

    def _take(self, event: WatchEvent[T]) -> None:
        if event.poison is not None:
            self._take_poison(event.poison, event.original)
        elif event.object is not None and event.type == "DELETED":
            self._tell_deleted(metadata_of(event.object), event.object)
        elif event.object is not None:
            self._tell_present(event.object)

    def _take_poison(self, poison: Poison, original: str) -> None:
        if original != "DELETED":
            self._quarantine(poison)
            return
        self._state.quarantined.pop(poison.uid, None)
        if poison.uid in self._state.known:
            self._tell_deleted(self._state.known[poison.uid], None)

    def _tell_present(self, item: T) -> None:
        meta = metadata_of(item)
        before = self._state.known.get(meta.uid)
        held = self._state.quarantined.get(meta.uid)
        if meta.resource_version in (before and before.resource_version, held and held.resource_version):
            return
        self._tell(Change("ADDED" if before is None else "MODIFIED", meta, item))
        self._state.known[meta.uid] = meta

    def _tell_deleted(self, meta: ObjectMeta, item: T | None) -> None:
        self._state.quarantined.pop(meta.uid, None)
        if meta.uid in self._state.known:
            self._tell(Change("DELETED", meta, item))
            del self._state.known[meta.uid]

    def _tell(self, change: Change[T]) -> None:
        meta = change.metadata
        try:
            self._sink(change)
        except PoisonObject as error:
            self._quarantine(Poison(meta.name, meta.namespace, meta.uid, meta.resource_version, error.message))
        else:
            self._state.quarantined.pop(meta.uid, None)

    def _quarantine(self, poison: Poison) -> None:
        """Set an object aside, saying so once a version."""
        if self._state.quarantined.get(poison.uid) == poison:
            return
        self._state.quarantined[poison.uid] = poison
        logger.error(
            "%s %s/%s (uid %s) cannot be understood and is set aside: %s",
            self._selection.resource.kind,
            poison.namespace,
            poison.name,
            poison.uid,
            poison.error,
        )

    def _contact(self) -> None:
        self._state.last_contact = time.monotonic()

    def _succeeded(self) -> None:
        self._state.synced = True
        self._state.failures = 0
        self._state.last_error = ""

    def _guard(self, stop: threading.Event, finished: threading.Event) -> None:
        """Cut the open watch when it was silent for too long, or when it is time to stop."""
        look_every_s = min(1.0, self._timing.inactivity_s / 4)
        while not stop.wait(look_every_s) and not finished.is_set():
            if self._is_silent():
                logger.warning("the watch of %s was silent for too long", self._selection.resource.plural)
                self._cut()
        while not finished.wait(_STOP_RETRY_S):  # a watch may open just after the first cut
            self._cut()

    def _is_silent(self) -> bool:
        contact = self._state.last_contact
        if contact is None or self._state.cut is None:
            return False
        return time.monotonic() - contact > self._timing.inactivity_s

    def _cut(self) -> None:
        cut = self._state.cut
        if cut is not None:
            cut()
