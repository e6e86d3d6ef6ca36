"""A control plane on loopback with a process node: a cluster that an ordinary user can start. No containers."""

import json
import os
import sys
from pathlib import Path

from portal import env
from portal.embedded.layout import ROOT
from portal.embedded.node import rights
from portal.embedded.node.alone import API_NAMES, ControlPlaneAlone
from portal.embedded.node.containernode import NodeOptions, is_node_ready
from portal.embedded.node.holder import SYSTEM_PATH
from portal.embedded.node.rolespec import RoleSpec
from portal.embedded.processnode import roots

_API = "kube-apiserver"


class ProcessCluster(ControlPlaneAlone):
    """Store, API server, controllers, scheduler, and a node that runs pods as processes of whoever started it."""

    def __init__(self, *, binary: Path, state_dir: Path, options: NodeOptions) -> None:
        super().__init__(binary=binary, state_dir=state_dir)
        self.options = options

    def prepare(self) -> None:
        super().prepare()
        self.make_keys(names=API_NAMES, node=self.options.name, node_address="127.0.0.1")
        self._write_images()

    def roles(self) -> list[RoleSpec]:
        role = "process-node"
        argv = (
            sys.executable, "-P", "-m", "portal.embedded.processnode",
            f"--api-url={self.api_url}",
            f"--pki={self.places.pki}",
            f"--state-dir={self.places.state_dir / 'process-node'}",
            f"--node-name={self.options.name}",
            f"--gpus={self.options.gpus}",
            f"--gpu-product={self.options.gpu_product}",
        )  # fmt: skip
        return [*super().roles(), RoleSpec(role, argv, self.places.log(role), (_API,), env=_environment())]

    def on_ready(self, role: str) -> None:
        if role == _API:
            rights.give(self.api)

    def is_complete(self) -> bool:
        if not self.takes_work():
            return False
        node = self.api.get(f"/api/v1/nodes/{self.options.name}")
        return node.status == 200 and is_node_ready(node.text, gpus=self.options.gpus)

    def _write_images(self) -> None:
        """Make the images and tell the portal their references."""
        made = roots.made(cache_dir=env.cache_dir(), say=print)
        unfinished = self.places.images_file.with_suffix(".new")
        unfinished.write_text(json.dumps({image.name: image.reference for image in made}) + "\n", encoding="utf-8")
        unfinished.replace(self.places.images_file)


def _environment() -> dict[str, str]:
    return {
        "PATH": SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "BERTH_CACHE_DIR": str(env.cache_dir()),
    }
