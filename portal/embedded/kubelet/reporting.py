"""Writes a pod's status and its final deletion to the cluster: the two things that a kubelet owes for every pod."""

from datetime import UTC, datetime
from typing import Any

from portal.embedded.kubelet.client import STRATEGIC, KubeClient
from portal.embedded.kubelet.podstatus import PodRecord, conditions_after, status_of

_GONE = (404, 409)


def pod_path(pod: dict[str, Any]) -> str:
    """Return where the API has a pod."""
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


class Reporter:
    """Reports one pod. Remembers what it wrote, so that an unchanged status costs no request."""

    def __init__(self, client: KubeClient, pod: dict[str, Any]) -> None:
        self._client = client
        self._pod = pod
        self._written: dict[str, Any] = {}
        self.conditions = conditions_after(pod.get("status", {}))

    def report(self, record: PodRecord) -> bool:
        """Write the status if it changed; say whether the cluster has it (or the pod is gone)."""
        policy = self._pod["spec"].get("restartPolicy", "Always")
        record = PodRecord(**{**vars(record), "conditions": self.conditions})
        status = status_of(record, restart_policy=policy, now=datetime.now(UTC))
        if status == self._written:
            return True
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": status}
        reply = self._client.patch(f"{pod_path(self._pod)}/status", body, kind=STRATEGIC)
        if reply.status in (200, 404):
            self._written, self.conditions = status, conditions_after(status)
            return True
        print(f"the status of {pod_path(self._pod)} was not taken: {reply.status} {reply.text[:300]}", flush=True)
        return False

    def remove(self) -> bool:
        """Take the pod's object away for good; say whether it is done."""
        reply = self._client.delete(pod_path(self._pod), uid=self._pod["metadata"]["uid"])
        return reply.status in (200, 202, *_GONE)
