"""Follows a list of objects for ever: list, watch, and list again whenever the watch breaks. Decides nothing."""

import threading
from collections.abc import Callable
from typing import Any

from portal.embedded.kubelet.client import KubeClient, WatchBroken

_RETRY_S = 1.0

OnObject = Callable[[dict[str, Any]], None]
OnGone = Callable[[dict[str, Any]], None]


class Feed:
    """Tells of every object that is there, that changes, and that is gone; in one thread."""

    def __init__(self, client: KubeClient, path: str, *, query: str, on_object: OnObject, on_gone: OnGone) -> None:
        self._client = client
        self._path = path
        self._query = query
        self._on_object = on_object
        self._on_gone = on_gone
        self._known: dict[str, dict[str, Any]] = {}
        self.synced = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Follow until the stop event; an API server that is away is asked again each second."""
        while not stop.is_set():
            try:
                version = self._list()
                self.synced.set()
                while not stop.is_set():
                    version = self._watch(version, stop)
            except (WatchBroken, OSError, ValueError):
                stop.wait(_RETRY_S)

    def _list(self) -> str:
        items, version = self._client.list_all(self._path, query=self._query)
        there = {item["metadata"]["uid"]: item for item in items}
        for uid in [uid for uid in self._known if uid not in there]:
            self._on_gone(self._known.pop(uid))
        for uid, item in there.items():
            self._known[uid] = _key_of(item)
            self._on_object(item)
        return version

    def _watch(self, version: str, stop: threading.Event) -> str:
        for event in self._client.watch(self._path, query=self._query, version=version):
            item = event["object"]
            version = item["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._known.pop(item["metadata"]["uid"], None)
                self._on_gone(item)
            elif event["type"] in ("ADDED", "MODIFIED"):
                self._known[item["metadata"]["uid"]] = _key_of(item)
                self._on_object(item)
            if stop.is_set():
                break
        return version


def _key_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return what is needed to tell of an object's end: whole objects of thousands of pods would fill the memory."""
    return {"metadata": {key: item["metadata"].get(key) for key in ("uid", "name", "namespace")}}
