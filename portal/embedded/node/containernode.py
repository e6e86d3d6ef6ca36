"""A node that runs real containers, with its control plane, in network, mount and PID namespaces of its own."""

import dataclasses
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from portal import env
from portal.embedded.cluster.build import ensure_containerd
from portal.embedded.errors import StartError
from portal.embedded.images.oci import REGISTRY, Image
from portal.embedded.node import cgroups, configs, gpulabels, inside, network, preflight, rights
from portal.embedded.node.cluster import Cluster
from portal.embedded.node.controlplane import ControlPlane
from portal.embedded.node.imagestore import ImageStore
from portal.embedded.node.places import Places
from portal.embedded.node.rolespec import RoleSpec, environment
from portal.embedded.node.subnets import Subnets

_API_PORT = 6443
_ETCD_PORT = 2379
_PEER_PORT = 2380
_CNI_DIRS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_API = "kube-apiserver"
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class NodeOptions:
    """What a person may choose about the node."""

    name: str = "berth-node"
    gpus: int = 0
    gpu_product: str = gpulabels.PRODUCTS[0]


class ContainerNode(Cluster):
    """The control plane, containerd, kubelet, kube-proxy, network policies, names, registry and pretended GPUs."""

    isolated = True

    def __init__(
        self, *, binary: Path, state_dir: Path, options: NodeOptions, say: Callable[[str], None] = print
    ) -> None:
        super().__init__(binary=binary, state_dir=state_dir)
        self.options = options
        self._say = say
        self._containerd: Path | None = None
        self._subnets: Subnets | None = None
        self._pause: Image | None = None
        self._kubelet_started_at = _EVER
        self._images = ImageStore(images_file=self.places.images_file, registries_dir=self.places.registries, say=say)

    @property
    def subnets(self) -> Subnets:
        """Return the address ranges, known once the holder is started."""
        if self._subnets is None:
            raise StartError("The node's addresses are chosen when it is started.")
        return self._subnets

    @property
    def api_url(self) -> str:
        return self._plane.url

    def prepare(self) -> None:
        super().prepare()
        if found := preflight.obstacles(self.places.state_dir):
            raise StartError("\n".join(found))
        self._containerd = ensure_containerd(cache_dir=env.cache_dir(), say=self._say)
        self._pause = self._images.prepare()
        cgroups.make(self.places.cgroup)

    def start_holder(self) -> None:
        super().start_holder()
        pid = self.holder.pid
        with network.chosen_subnets(self.places) as subnets:
            self._subnets = subnets
            network.join(self.places, subnets, holder_pid=pid)
        inside.set_up(self.places, subnets, holder_pid=pid)
        self.make_keys(
            names=[str(subnets.node), str(subnets.api_service)],
            node=self.options.name,
            node_address=str(subnets.node),
        )
        self._write_configs()
        if self._pause is not None:
            self._images.start(self._pause, holder_pid=pid, ctr=self._runtime.with_name("ctr"))

    def roles(self) -> list[RoleSpec]:
        return [
            RoleSpec(
                "containerd",
                (str(self._runtime), "--config", self._config("containerd.toml")),
                self.places.log("containerd"),
                ready=self._runtime_answers,
                env=environment(first_on_path=self._runtime.parent),  # for the process beside each pod
            ),
            RoleSpec(
                "registry",
                ("/usr/bin/env", "docker-registry", "serve", self._config("registry.yml")),
                self.places.log("registry"),
            ),
            *self._plane.roles(self.api),
            self._patient_role("kubelet", self._kubelet(), after=("containerd",)),
            self._patient_role("kube-proxy", (f"--config={self._config('kube-proxy.json')}", "--v=1")),
            self._role(
                "netpol",
                (self._client("netpol"), f"--pod-range={self.subnets.pods}", f"--name-server={self.subnets.node}"),
            ),
            self._role("dns", (self._client("dns"), f"--listen={self.subnets.node}:53")),
            *self._gpu_roles(),
        ]

    def start_role(self, role: RoleSpec) -> None:
        if role.name == "kubelet":
            self._kubelet_started_at = datetime.now(UTC)
        super().start_role(role)

    def on_ready(self, role: str) -> None:
        if role == _API:
            rights.give(self.api)

    def is_complete(self) -> bool:
        if not self._images.is_done() or not self.takes_work():
            return False
        node = self.api.get(f"/api/v1/nodes/{self.options.name}")
        return node.status == 200 and is_node_ready(node.text, gpus=self.options.gpus)

    def stop(self) -> None:
        started = self._holder is not None
        super().stop()
        if started:
            clean_up(self.places)

    @property
    def _runtime(self) -> Path:
        if self._containerd is None:
            raise StartError("Which containerd the node runs is known once it is prepared.")
        return self._containerd

    @cached_property
    def _plane(self) -> ControlPlane:
        return ControlPlane(
            binary=self.binary,
            places=self.places,
            address=str(self.subnets.node),
            port=_API_PORT,
            etcd_port=_ETCD_PORT,
            peer_port=_PEER_PORT,
            services=str(self.subnets.services),
            reachable_by_pods=True,
            # A pod that asks for a GPU and reaches the kubelet before the plug-in did is refused for good.
            schedules_after=("gpu-plugin",) if self.options.gpus else (),
        )

    def _role(self, name: str, arguments: tuple[str, ...], *, after: tuple[str, ...] = (_API,)) -> RoleSpec:
        return RoleSpec(name, (str(self.binary), name, *arguments), self.places.log(name), after)

    def _patient_role(self, name: str, arguments: tuple[str, ...], *, after: tuple[str, ...] = ()) -> RoleSpec:
        return dataclasses.replace(self._role(name, arguments, after=(_API, *after)), fresh_after=(_API,))

    def _kubelet(self) -> tuple[str, ...]:
        labels = gpulabels.labels(self.options.gpus, self.options.gpu_product)
        return (
            f"--config={self._config('kubelet.json')}",
            f"--kubeconfig={self.places.kubeconfig('kubelet')}",
            f"--hostname-override={self.options.name}",
            f"--node-ip={self.subnets.node}",
            "--root-dir=/var/lib/kubelet",
            f"--node-labels={','.join(f'{key}={value}' for key, value in labels.items())}",
            "--v=1",
        )

    def _gpu_roles(self) -> list[RoleSpec]:
        if not self.options.gpus:
            return []
        plugin = self._patient_role("gpu-plugin", (f"--count={self.options.gpus}",), after=("kubelet",))
        return [dataclasses.replace(plugin, ready=self._offers_gpus)]

    def _offers_gpus(self) -> bool:
        node = self.api.get(f"/api/v1/nodes/{self.options.name}")
        return node.status == 200 and is_node_ready(node.text, gpus=self.options.gpus, since=self._kubelet_started_at)

    def _config(self, name: str) -> str:
        return str(self.places.config / name)

    def _client(self, name: str) -> str:
        return f"--kubeconfig={self.places.kubeconfig(name)}"

    def _runtime_answers(self) -> bool:
        # The socket is in the node's own /run, which can be reached by way of its first process.
        path = f"/proc/{self.holder.pid}/root{configs.RUNTIME_SOCKET}"
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(path) == 0

    def _write_configs(self) -> None:
        places, subnets = self.places, self.subnets
        hosts = places.registries / REGISTRY
        for directory in (hosts, places.config / "cni"):
            directory.mkdir(parents=True, exist_ok=True)
        pause = self._pause.reference if self._pause else ""
        cni_dir = next((path for path in _CNI_DIRS if (path / "bridge").exists()), _CNI_DIRS[0])
        texts = {
            "containerd.toml": configs.containerd(places, pause=pause, cni_dir=str(cni_dir)),
            f"registries/{REGISTRY}/hosts.toml": configs.registry_hosts(),
            "registry.yml": json.dumps(configs.registry(places), indent=1),
            "kubelet.json": json.dumps(configs.kubelet(places, subnets), indent=1),
            "kube-proxy.json": json.dumps(configs.kube_proxy(places, subnets, node_name=self.options.name), indent=1),
            "cni/10-berth.conflist": json.dumps(configs.bridge(subnets), indent=1),
        }
        for name, text in texts.items():
            (places.config / name).write_text(text, encoding="utf-8")


def is_node_ready(text: str, *, gpus: int, since: datetime = _EVER) -> bool:
    """Ask of a Node object whether it is Ready and offers that many GPUs, as a kubelet said that started at `since`.

    A kubelet's first report always writes the time; before it stand the GPUs of the kubelet that ran before.
    """
    status = json.loads(text).get("status", {})
    ready = any(
        each["type"] == "Ready"
        and each["status"] == "True"
        and datetime.fromisoformat(each["lastHeartbeatTime"]) >= since.replace(microsecond=0)  # told in whole seconds
        for each in status.get("conditions", [])
    )
    return ready and int(status.get("allocatable", {}).get("nvidia.com/gpu", 0)) == gpus


def clean_up(places: Places) -> None:
    """Remove the link and the cgroups that a run on this state may have left."""
    network.leave(places)
    cgroups.remove(places.cgroup)
