"""A control plane without nodes, on loopback, as an ordinary user: for tests, and for scripted nodes to join."""

import json
import socket
from pathlib import Path

from portal.embedded.node.cluster import Cluster
from portal.embedded.node.controlplane import ControlPlane
from portal.embedded.node.rolespec import RoleSpec

_ADDRESS = "127.0.0.1"
_SERVICES = "10.96.0.0/16"
API_NAMES = ("10.96.0.1",)  # the first address of the services
_PORTS = ("port", "etcd_port", "peer_port")


class ControlPlaneAlone(Cluster):
    """Store, API server, controllers and scheduler; nothing runs and nothing is pulled."""

    def __init__(self, *, binary: Path, state_dir: Path) -> None:
        super().__init__(binary=binary, state_dir=state_dir)
        self._ports: dict[str, int] = {}

    @property
    def api_url(self) -> str:
        return self._plane.url

    def prepare(self) -> None:
        super().prepare()
        self._ports = _choose_ports(self.places.network_file)
        self.make_keys(names=API_NAMES)

    def roles(self) -> list[RoleSpec]:
        return self._plane.roles(self.api)

    @property
    def _plane(self) -> ControlPlane:
        return ControlPlane(
            binary=self.binary,
            places=self.places,
            address=_ADDRESS,
            services=_SERVICES,
            reachable_by_pods=False,
            schedules_after=(),
            **self._ports,
        )


def _choose_ports(kept: Path) -> dict[str, int]:
    """Return the ports of the last run while they are free, so that kubeconfigs stay right; otherwise new ones."""
    try:
        ports = {name: int(json.loads(kept.read_text())[name]) for name in _PORTS}
    except (OSError, ValueError, KeyError):
        ports = {}
    if not ports or not all(_is_free(port) for port in ports.values()):
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        kept.write_text(json.dumps(ports) + "\n", encoding="utf-8")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_ADDRESS, port))
        except OSError:
            return False
    return True


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server((_ADDRESS, 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
