"""Where a node keeps its things, and the names that keep two nodes on one machine apart. Only computes."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The directories and names of one node, all following from its state directory (absolute)."""

    state_dir: Path

    @property
    def tag(self) -> str:
        """Return eight characters that no other state directory on this machine has."""
        return hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:8]

    @property
    def link(self) -> str:
        """Return the name of the network link on the machine's side (15 bytes at most)."""
        return f"berth{self.tag}"

    @property
    def cgroup(self) -> str:
        """Return the name of the cgroup below which all pods live."""
        return f"berth-{self.tag}"

    @property
    def pki(self) -> Path:
        """Return the directory of keys, certificates and kubeconfigs."""
        return self.state_dir / "pki"

    @property
    def config(self) -> Path:
        """Return the directory of generated configuration files."""
        return self.state_dir / "config"

    @property
    def logs(self) -> Path:
        """Return the directory with a log file a role."""
        return self.state_dir / "logs"

    @property
    def registries(self) -> Path:
        """Return the directory that tells containerd where an image registry is."""
        return self.config / "registries"

    @property
    def kubelet(self) -> Path:
        """Return what the node sees as /var/lib/kubelet."""
        return self.state_dir / "kubelet"

    @property
    def pod_logs(self) -> Path:
        """Return what the node sees as /var/log/pods."""
        return self.state_dir / "pod-logs"

    @property
    def roles_file(self) -> Path:
        """Return the file that tells which processes are running."""
        return self.state_dir / "roles.json"

    @property
    def images_file(self) -> Path:
        """Return the file with the references of the images made here."""
        return self.state_dir / "images.json"

    @property
    def network_file(self) -> Path:
        """Return the file with the address ranges of this node."""
        return self.state_dir / "network.json"

    def log(self, role: str) -> Path:
        """Return the log file of a role."""
        return self.logs / f"{role}.log"

    def kubeconfig(self, client: str) -> Path:
        """Return the kubeconfig of a client of the cluster."""
        return self.pki / f"{client}.kubeconfig"

    def make(self) -> None:
        """Make the directories, readable by their owner only."""
        self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        for directory in (self.pki, self.config, self.logs, self.kubelet):
            directory.mkdir(exist_ok=True, mode=0o700)
