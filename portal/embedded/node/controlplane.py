"""The command lines of the control plane: store, API server, controllers, scheduler. Only computes."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.node.api import Api
from portal.embedded.node.places import Places
from portal.embedded.node.rolespec import RoleSpec

# All of the defaults less those that speak with a cloud or give addresses to nodes.
_CONTROLLERS = "*,-node-ipam-controller,-node-route-controller,-service-lb-controller,-cloud-node-lifecycle-controller"
# The shipped limits (20 requests a second) make two hundred jobs take a minute.
_FAST = ("--kube-api-qps=200", "--kube-api-burst=400")


@dataclass(frozen=True)
class ControlPlane:
    """Where the control plane listens, what it hands out, and the roles that must be ready before it places pods."""

    binary: Path
    places: Places
    address: str
    port: int
    etcd_port: int
    peer_port: int
    services: str
    reachable_by_pods: bool
    schedules_after: tuple[str, ...]

    @property
    def url(self) -> str:
        """Return the URL of the API server."""
        return f"https://{self.address}:{self.port}"

    def roles(self, api: Api) -> list[RoleSpec]:
        """Return the roles in the order of their start."""
        return [
            self._role("etcd", self._etcd()),
            RoleSpec(
                "kube-apiserver",
                (str(self.binary), "kube-apiserver", *self._apiserver()),
                self.places.log("kube-apiserver"),
                ready=api.is_ready,
            ),
            self._client_role("kube-controller-manager", self._controller_manager()),
            self._client_role("kube-scheduler", self._scheduler(), after=self.schedules_after),
        ]

    def _role(self, name: str, arguments: tuple[str, ...], *, after: tuple[str, ...] = ()) -> RoleSpec:
        return RoleSpec(name, (str(self.binary), name, *arguments), self.places.log(name), after)

    def _client_role(self, name: str, arguments: tuple[str, ...], *, after: tuple[str, ...] = ()) -> RoleSpec:
        api = ("kube-apiserver",)
        return dataclasses.replace(self._role(name, arguments, after=(*api, *after)), fresh_after=api)

    def _key(self, name: str) -> str:
        return str(self.places.pki / name)

    @property
    def _etcd_url(self) -> str:
        return f"https://127.0.0.1:{self.etcd_port}"

    def _etcd(self) -> tuple[str, ...]:
        return (
            f"--data-dir={self.places.state_dir / 'etcd'}",
            f"--listen={self._etcd_url}",
            f"--peer=http://127.0.0.1:{self.peer_port}",
            f"--cert={self._key('etcd.crt')}",
            f"--key={self._key('etcd.key')}",
            f"--client-ca={self._key('etcd-ca.crt')}",
        )

    def _apiserver(self) -> tuple[str, ...]:
        # With a loopback address there is nothing that the Service "kubernetes" could lead to.
        reconciler = "lease" if self.reachable_by_pods else "none"
        return (
            f"--bind-address={self.address}",
            f"--secure-port={self.port}",
            f"--advertise-address={self.address}",
            f"--endpoint-reconciler-type={reconciler}",
            f"--service-cluster-ip-range={self.services}",
            "--authorization-mode=Node,RBAC",
            "--anonymous-auth=false",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--profiling=false",
            "--shutdown-delay-duration=0s",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--kubelet-preferred-address-types=InternalIP",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--v=1",
            *self._apiserver_keys(),
        )

    def _apiserver_keys(self) -> tuple[str, ...]:
        key = self._key
        return (
            f"--etcd-servers={self._etcd_url}",
            f"--etcd-cafile={key('etcd-ca.crt')}",
            f"--etcd-certfile={key('etcd-client.crt')}",
            f"--etcd-keyfile={key('etcd-client.key')}",
            f"--tls-cert-file={key('apiserver.crt')}",
            f"--tls-private-key-file={key('apiserver.key')}",
            f"--client-ca-file={key('ca.crt')}",
            f"--service-account-key-file={key('sa.pub')}",
            f"--service-account-signing-key-file={key('sa.key')}",
            f"--kubelet-client-certificate={key('kubelet-client.crt')}",
            f"--kubelet-client-key={key('kubelet-client.key')}",
            f"--kubelet-certificate-authority={key('ca.crt')}",
            f"--requestheader-client-ca-file={key('front-proxy-ca.crt')}",
            f"--proxy-client-cert-file={key('front-proxy-client.crt')}",
            f"--proxy-client-key-file={key('front-proxy-client.key')}",
        )

    def _client(self, name: str) -> tuple[str, ...]:
        kubeconfig = self.places.kubeconfig(name)
        return (
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--profiling=false",
            "--v=1",
            *_FAST,
        )

    def _controller_manager(self) -> tuple[str, ...]:
        return (
            *self._client("kube-controller-manager"),
            f"--controllers={_CONTROLLERS}",
            "--concurrent-job-syncs=20",
            "--use-service-account-credentials=true",
            "--allocate-node-cidrs=false",
            f"--root-ca-file={self._key('ca.crt')}",
            f"--service-account-private-key-file={self._key('sa.key')}",
            f"--cluster-signing-cert-file={self._key('ca.crt')}",
            f"--cluster-signing-key-file={self._key('ca.key')}",
        )

    def _scheduler(self) -> tuple[str, ...]:
        return self._client("kube-scheduler")
