"""From an administrator's kubeconfig to Berth's three narrow identities. Only set-up needs it; nothing else is admin.

Applies `deploy/rbac.yaml`, mints short-lived tokens, and writes one kubeconfig an identity for `client.connect`.
"""

import json
import os
import ssl
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from uuid import UUID

import msgspec

from portal.kube.client import credentials_file
from portal.kube.credentials import Credentials
from portal.kube.decode import decode_object
from portal.kube.gateway import Identity, Object
from portal.kube.ownership import apply_roles
from portal.kube.rest import RestKube
from portal.kube.types import SERVICEACCOUNTS

SYSTEM_NAMESPACE = "berth-system"
TOKEN_LIFE_S = 24 * 3600


class _TokenStatus(msgspec.Struct, frozen=True, rename="camel"):
    token: str
    expiration_timestamp: datetime


class _TokenAnswer(msgspec.Struct, frozen=True):
    status: _TokenStatus


class ClusterAccess:
    """Keeps a directory of kubeconfigs valid. Its methods raise KubeError while the cluster is away: call again."""

    def __init__(self, *, admin_kubeconfig: Path, directory: Path, installation: UUID | None = None) -> None:
        self._file = credentials_file(admin_kubeconfig)
        self._kube = RestKube(self._file)
        self._directory = directory
        self._installation = installation
        self._renew_at = 0.0

    def establish(self) -> None:
        """Apply the roles and write fresh kubeconfigs; may be repeated. Raises Conflict for somebody else's object."""
        apply_roles(self._kube, installation=self._installation)
        self._mint()

    def refresh(self) -> bool:
        """Write fresh kubeconfigs when the old ones are past half of their life. Returns whether it did."""
        if time.monotonic() < self._renew_at:
            return False
        self._mint()
        return True

    def _mint(self) -> None:
        lives_s = []
        for identity in get_args(Identity):
            answer = self._request_token(f"berth-{identity}")
            kubeconfig = kubeconfig_of(self._file.current(), name=f"berth-{identity}", token=answer.token)
            write_private(self._directory / f"{identity}.kubeconfig", json.dumps(kubeconfig, indent=1))
            lives_s.append((answer.expiration_timestamp - datetime.now(UTC)).total_seconds())
        self._renew_at = time.monotonic() + max(0.0, min(lives_s)) / 2  # the server may grant less than was asked

    def _request_token(self, account: str) -> _TokenStatus:
        path = SERVICEACCOUNTS.path(namespace=SYSTEM_NAMESPACE, name=account, subresource="token")
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_LIFE_S},
        }
        return decode_object(self._kube.request("POST", path, body=body), _TokenAnswer).status


def kubeconfig_of(admin: Credentials, *, name: str, token: str) -> Object:
    """Return a kubeconfig for the same cluster with another proof."""
    cluster: Object = {"server": admin.server}
    if admin.ca_data:
        cluster["certificate-authority-data"] = admin.ca_data
    if admin.tls_server_name:
        cluster["tls-server-name"] = admin.tls_server_name
    if admin.ssl_context is not None and admin.ssl_context.verify_mode == ssl.CERT_NONE:
        cluster["insecure-skip-tls-verify"] = True
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "berth", "cluster": cluster}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": "berth", "user": name}}],
    }


def write_private(path: Path, text: str) -> None:
    """Replace a file by one rename, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
