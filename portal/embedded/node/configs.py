"""The configuration files of what runs on the node. Only computes; JSON is valid YAML, so most are dictionaries."""

import json
from typing import Any

from portal.embedded.node.places import Places
from portal.embedded.node.subnets import Subnets

RUNTIME_SOCKET = "/run/containerd/containerd.sock"
CLUSTER_DOMAIN = "cluster.local"
_REGISTRY_PORT = 5000
# On the node's loopback: pods could otherwise put other content under the images' names.
REGISTRY_URL = f"http://127.0.0.1:{_REGISTRY_PORT}"
# `opt` would make a directory below the machine's /opt; nothing here speaks with the plug-ins that `nri` is for.
_UNUSED_PLUGINS = (
    *(f"io.containerd.snapshotter.v1.{name}" for name in ("btrfs", "zfs", "devmapper", "blockfile", "erofs")),
    "io.containerd.internal.v1.opt",
    "io.containerd.nri.v1.nri",
)


def kubelet(places: Places, subnets: Subnets) -> dict[str, Any]:
    """Return the kubelet's configuration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(subnets.node),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(places.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(places.pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(places.pki / "kubelet-serving.key"),
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "containerRuntimeEndpoint": f"unix://{RUNTIME_SOCKET}",
        "clusterDNS": [str(subnets.node)],
        "clusterDomain": CLUSTER_DOMAIN,
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{places.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "seccompDefault": True,
        "maxPods": 200,
        "podPidsLimit": 4096,
        "serializeImagePulls": False,
        "maxParallelImagePulls": 4,
        # The images are this machine's own; there are no pull secrets to check.
        "imagePullCredentialsVerificationPolicy": "NeverVerify",
        # The disk is the machine's, mostly used by others: evict only when it is really full.
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "nodeStatusUpdateFrequency": "2s",
        "syncFrequency": "10s",
        # What is rotated away before the portal opened the log is lost: leave it some seconds of a flood.
        "containerLogMaxSize": "50Mi",
        "containerLogMaxFiles": 2,
        "shutdownGracePeriod": "0s",
    }  # fmt: skip


def kube_proxy(places: Places, subnets: Subnets, *, node_name: str) -> dict[str, Any]:
    """Return kube-proxy's configuration. Zeros leave the machine's connection tracking as it is."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(places.kubeconfig("kube-proxy"))},
        "clusterCIDR": str(subnets.pods),
        "hostnameOverride": node_name,
        "bindAddress": str(subnets.node),
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{subnets.node}/32"],
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def bridge(subnets: Subnets) -> dict[str, Any]:
    """Return the CNI configuration: one bridge, addresses from the node's range."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": str(subnets.pods)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plug = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "berth", "plugins": [{**plug, "ipam": addresses}, ports]}


def registry(places: Places) -> dict[str, Any]:
    """Return the configuration of the node's image registry."""
    return {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(places.state_dir / "registry")}},
        "http": {"addr": f"127.0.0.1:{_REGISTRY_PORT}"},
    }


def registry_hosts() -> str:
    """Return containerd's file that leads the images' registry name to the node's registry."""
    return f'server = "{REGISTRY_URL}"\n[host."{REGISTRY_URL}"]\n  capabilities = ["pull", "resolve"]\n'


def containerd(places: Places, *, pause: str, cni_dir: str) -> str:
    """Return containerd's configuration, in the layout that version 2 brought."""
    return f"""version = 3
root = {json.dumps(str(places.state_dir / "containerd"))}
state = "/run/containerd/state"
disabled_plugins = {json.dumps(_UNUSED_PLUGINS)}
[grpc]
  address = "{RUNTIME_SOCKET}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = {json.dumps(pause)}
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = {json.dumps(str(places.registries))}
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [{json.dumps(cni_dir)}]
    conf_dir = {json.dumps(str(places.config / "cni"))}
[plugins."io.containerd.grpc.v1.cri"]
  disable_tcp_service = true
"""
