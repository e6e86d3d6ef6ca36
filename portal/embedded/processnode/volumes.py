"""A pod's volumes as directories: emptyDir, ConfigMap, Secret, projected, downward API. Others are refused."""

import base64
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from portal.embedded.kubelet.client import KubeClient
from portal.embedded.processnode.environment import MissingObject, field_of

KINDS = ("emptyDir", "configMap", "secret", "projected", "downwardAPI")
_FILE_MODE = 0o644
_PROJECTED = ("configMap", "secret", "downwardAPI", "serviceAccountToken")
_DATA_KEY = {"configMap": "name", "secret": "secretName"}
_PLURAL = {"configMap": "configmaps", "secret": "secrets"}
_TOKEN_S = 3600
Pod = Mapping[str, Any]


def unsupported(pod: Pod) -> str:
    """Return why the pod's volumes cannot be had here, as a sentence; empty when they can."""
    for volume in pod["spec"].get("volumes", []):
        kinds = [kind for kind in volume if kind != "name"]
        if kinds and kinds[0] not in KINDS:
            return f"The process node has no volumes of the kind {kinds[0]}, which {volume['name']} asks for."
    return ""


class Objects:
    """ConfigMaps and Secrets of a pod's namespace, asked from the cluster when needed."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._base = f"/api/v1/namespaces/{quote(namespace)}"

    def text(self, kind: str, name: str) -> dict[str, str]:
        """Return an object's data as text, for variables. Raises MissingObject."""
        return {key: value.decode(errors="replace") for key, value in self.content(kind, name).items()}

    def content(self, kind: str, name: str) -> dict[str, bytes]:
        """Return an object's data. Raises MissingObject."""
        reply = self._client.get(f"{self._base}/{kind}/{quote(name)}")
        if reply.status != 200:
            raise MissingObject(f'{kind.removesuffix("s")} "{name}" not found ({reply.status})')
        body = reply.body
        if kind == "secrets":
            return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}
        plain = {key: value.encode() for key, value in (body.get("data") or {}).items()}
        return plain | {key: base64.b64decode(value) for key, value in (body.get("binaryData") or {}).items()}

    def token(self, account: str, pod: Pod, source: Mapping[str, Any]) -> bytes:
        """Return a token of a service account that is bound to the pod. Raises MissingObject."""
        metadata = pod["metadata"]
        bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        spec = {"expirationSeconds": source.get("expirationSeconds", _TOKEN_S), "boundObjectRef": bound}
        if source.get("audience"):
            spec["audiences"] = [source["audience"]]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        reply = self._client.post(f"{self._base}/serviceaccounts/{quote(account)}/token", body)
        if reply.status not in (200, 201):
            raise MissingObject(f"no token of the service account {account} ({reply.status})")
        return str(reply.body["status"]["token"]).encode()


def make_volumes(pod: Pod, directory: Path, objects: Objects) -> dict[str, Path]:
    """Make the pod's volumes below `directory` and return name → path. Raises MissingObject, OSError."""
    made = {}
    for volume in pod["spec"].get("volumes", []):
        path = directory / volume["name"]
        path.mkdir(parents=True, exist_ok=True)
        for kind, make in _MAKERS.items():
            if kind in volume:
                make(pod, volume[kind], path, objects)
        made[volume["name"]] = path
    return made


def remove_volumes(directory: Path) -> None:
    """Remove volumes with what was written to them, whatever rights were set there."""
    for path in directory.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(directory, ignore_errors=True)


def _keyed(kind: str, source: Mapping[str, Any], path: Path, objects: Objects) -> None:
    """Write a ConfigMap's or Secret's keys as files."""
    name = source.get(_DATA_KEY[kind]) or source["name"]
    try:
        found = objects.content(_PLURAL[kind], name)
    except MissingObject:
        if source.get("optional"):
            return
        raise
    items = source.get("items") or [{"key": key, "path": key} for key in found]
    for item in items:
        if item["key"] in found:
            _write(path / item["path"], found[item["key"]], item.get("mode", source.get("defaultMode", _FILE_MODE)))
        elif not source.get("optional"):
            raise MissingObject(f"references non-existent config key: {item['key']}")


def _config_map(_pod: Pod, source: Mapping[str, Any], path: Path, objects: Objects) -> None:
    _keyed("configMap", source, path, objects)


def _secret(_pod: Pod, source: Mapping[str, Any], path: Path, objects: Objects) -> None:
    _keyed("secret", source, path, objects)


def _downward(pod: Pod, source: Mapping[str, Any], path: Path, _objects: Objects) -> None:
    for item in source.get("items", []):
        value = field_of(pod, item["fieldRef"]["fieldPath"]) if "fieldRef" in item else ""
        _write(path / item["path"], value.encode(), item.get("mode", source.get("defaultMode", _FILE_MODE)))


def _token(pod: Pod, source: Mapping[str, Any], path: Path, objects: Objects) -> None:
    account = pod["spec"].get("serviceAccountName", "default")
    _write(path / source["path"], objects.token(account, pod, source), _FILE_MODE)


def _projected(pod: Pod, source: Mapping[str, Any], path: Path, objects: Objects) -> None:
    for part in source.get("sources", []):
        for kind in _PROJECTED:
            if kind in part:
                _MAKERS[kind](pod, part[kind], path, objects)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    # Everything here belongs to the one user there is: what the group may read must stay readable to the container.
    path.chmod(mode | 0o400)


_Make = Callable[[Pod, Mapping[str, Any], Path, Objects], None]
_MAKERS: dict[str, _Make] = {
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "projected": _projected,
    "serviceAccountToken": _token,
}
