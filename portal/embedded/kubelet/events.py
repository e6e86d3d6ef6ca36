"""Tells the cluster what happened to a pod, as Events. A lost one costs a line on a page: none is sent again."""

import itertools
import time
from datetime import UTC, datetime
from typing import Any

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.kubelet.podstatus import stamp

_numbers = itertools.count(time.time_ns())


class Events:
    """Writes Events as one node."""

    def __init__(self, client: KubeClient, node: str) -> None:
        self._client = client
        self._node = node

    def tell(self, pod: dict[str, Any], reason: str, message: str, *, warning: bool = False) -> None:
        """Write one Event about a pod."""
        metadata, now = pod["metadata"], stamp(datetime.now(UTC))
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{next(_numbers):x}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "namespace": metadata["namespace"],
                "uid": metadata["uid"], "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "reason": reason,
            "message": message[:1000],
            "type": "Warning" if warning else "Normal",
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }  # fmt: skip
        self._client.post(f"/api/v1/namespaces/{metadata['namespace']}/events", body)
