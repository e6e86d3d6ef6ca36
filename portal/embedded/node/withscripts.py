"""A control plane on loopback with scripted nodes: pods only play what a script says. For scale and faults."""

import os
import sys
from pathlib import Path

from portal.embedded.layout import ROOT
from portal.embedded.node import rights
from portal.embedded.node.alone import API_NAMES, ControlPlaneAlone
from portal.embedded.node.containernode import NodeOptions
from portal.embedded.node.holder import SYSTEM_PATH
from portal.embedded.node.rolespec import RoleSpec

_API = "kube-apiserver"
_NODES = "/api/v1/nodes"


class ScriptedCluster(ControlPlaneAlone):
    """Store, API server, controllers, scheduler, and one process that is `count` nodes."""

    def __init__(self, *, binary: Path, state_dir: Path, count: int, options: NodeOptions) -> None:
        super().__init__(binary=binary, state_dir=state_dir)
        self.count = count
        self.options = options

    @property
    def control_file(self) -> Path:
        """Return where pods' scripts and silent nodes are told."""
        return self.places.state_dir / "scripted.json"

    def prepare(self) -> None:
        super().prepare()
        # The name only says whose certificates these are; all of the nodes share them.
        self.make_keys(names=API_NAMES, node="scripted", node_address="127.0.0.1")

    def roles(self) -> list[RoleSpec]:
        role = "scripted-nodes"
        argv = (
            sys.executable, "-P", "-m", "portal.embedded.scriptednode",
            f"--count={self.count}",
            f"--api-url={self.api_url}",
            f"--pki={self.places.pki}",
            f"--control-file={self.control_file}",
            f"--gpus={self.options.gpus}",
            f"--gpu-product={self.options.gpu_product}",
        )  # fmt: skip
        environment = {
            "PATH": SYSTEM_PATH,
            "LANG": "C.UTF-8",
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT),
        }
        return [*super().roles(), RoleSpec(role, argv, self.places.log(role), (_API,), env=environment)]

    def on_ready(self, role: str) -> None:
        if role == _API:
            rights.give(self.api)

    def is_complete(self) -> bool:
        """Ask whether the namespaces can be used and the last node has come."""
        if not self.takes_work():
            return False
        listed = self.api.get(f"{_NODES}?limit=1")
        if listed.status != 200:
            return False
        more = int(listed.body["metadata"].get("remainingItemCount", 0))
        return len(listed.body["items"]) + more >= self.count
