"""Registers a node and keeps it alive in the cluster's eyes: its status and its lease."""

import threading
from datetime import UTC, datetime

from portal.embedded.kubelet.client import STRATEGIC, KubeClient
from portal.embedded.kubelet.nodeobject import LEASES, NodeSpec, lease_manifest, lease_spec, node_manifest, node_status
from portal.embedded.node.api import Reply

LEASE_EVERY_S = 10.0
STATUS_EVERY_S = 60.0


class Heartbeat:
    """One node's registration. Not for several threads."""

    def __init__(self, client: KubeClient, spec: NodeSpec) -> None:
        self._client = client
        self._spec = spec
        self._since = datetime.now(UTC)
        self._uid = ""

    def register(self) -> str:
        """Create or update the Node, its status and its lease; return "" or what the cluster answered."""
        path = f"/api/v1/nodes/{self._spec.name}"
        created = self._client.post("/api/v1/nodes", node_manifest(self._spec))
        if created.status == 409:
            labels = {"metadata": {"labels": node_manifest(self._spec)["metadata"]["labels"]}}
            created = self._client.patch(path, labels)
        if created.status not in (200, 201):
            return _problem(created)
        self._uid = created.body["metadata"]["uid"]
        return self.tell_status() or self.renew()

    def tell_status(self) -> str:
        """Write the node's status; return "" or what the cluster answered."""
        status = node_status(self._spec, now=datetime.now(UTC), since=self._since)
        path = f"/api/v1/nodes/{self._spec.name}/status"
        return _problem(self._client.patch(path, {"status": status}, kind=STRATEGIC))

    def renew(self) -> str:
        """Renew the lease; return "" or what the cluster answered."""
        name, now = self._spec.name, datetime.now(UTC)
        renewed = self._client.patch(f"{LEASES}/{name}", {"spec": lease_spec(name, now=now)})
        if renewed.status == 404:
            renewed = self._client.post(LEASES, lease_manifest(name, node_uid=self._uid, now=now))
        return _problem(renewed)

    def run(self, stop: threading.Event) -> None:
        """Keep the node alive until the stop event; a cluster that is away is tried again."""
        rounds = 0
        while not stop.wait(LEASE_EVERY_S):
            rounds += 1
            told = self.tell_status() if rounds % int(STATUS_EVERY_S / LEASE_EVERY_S) == 0 else ""
            if self.renew() or told:
                self.register()


def _problem(reply: Reply) -> str:
    return "" if reply.status in (200, 201) else f"{reply.status} {reply.text[:300]}"
