"""The environment and command line of a container, as a kubelet works them out. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_CEILING
from typing import Any

from portal.kube.quantity import parse_quantity

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

# (kind, name) → the object's decoded data; raises MissingObject.
Lookup = Callable[[str, str], Mapping[str, str]]
Pod = Mapping[str, Any]


class MissingObject(Exception):
    """A ConfigMap, Secret or key that a container needs is not there; the message says which."""


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known, and `$$` by `$`; everything else stays as it is."""

    def replaced(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return known.get(match[2], match[0])

    return _REFERENCE.sub(replaced, text)


def environment_of(
    pod: Pod, container: Mapping[str, Any], *, base: Mapping[str, str], lookup: Lookup
) -> dict[str, str]:
    """Return the container's variables over those of its image. Raises MissingObject."""
    known = {**base, "HOSTNAME": pod["metadata"]["name"]}
    for source in container.get("envFrom", []):
        known |= _all_of(source, lookup)
    for each in container.get("env", []):
        value = expand(each.get("value", ""), known) if "valueFrom" not in each else _from(pod, container, each, lookup)
        if value is not None:
            known[each["name"]] = value
    return known


def command_of(container: Mapping[str, Any], *, image: Mapping[str, Any], env: Mapping[str, str]) -> list[str]:
    """Return the program and its arguments; the image's are used where the container names none."""
    command: Sequence[str] = container.get("command") or []
    args: Sequence[str] = container.get("args") or []
    if not command:
        command = image.get("Entrypoint") or []
        args = args or image.get("Cmd") or []
    return [expand(word, env) for word in (*command, *args)]


def field_of(pod: Pod, path: str) -> str:
    """Return a field of the pod as the downward API gives it; empty for what this node does not know."""
    if keyed := _KEYED.fullmatch(path):
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        found = pod["metadata"].get(path.partition(".")[2], {})
        return "\n".join(f'{name}="{value}"' for name, value in sorted(found.items()))
    simple = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.hostIP": "127.0.0.1",
        "status.podIP": "127.0.0.1",
    }
    return str(simple.get(path, ""))


def resource_of(container: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return a container's limit or request in units of the divisor, rounded up."""
    kind, _, name = str(asked["resource"]).partition(".")
    found = container.get("resources", {}).get(kind, {}).get(name, "0")
    divisor = parse_quantity(str(asked.get("divisor") or "1")) or parse_quantity("1")
    return str(int((parse_quantity(str(found)) / divisor).to_integral_value(ROUND_CEILING)))


def _all_of(source: Mapping[str, Any], lookup: Lookup) -> dict[str, str]:
    kind = "configmaps" if "configMapRef" in source else "secrets"
    reference = source.get("configMapRef") or source.get("secretRef") or {}
    try:
        found = lookup(kind, reference["name"])
    except MissingObject:
        if reference.get("optional"):
            return {}
        raise
    return {source.get("prefix", "") + name: value for name, value in found.items()}


def _from(pod: Pod, container: Mapping[str, Any], each: Mapping[str, Any], lookup: Lookup) -> str | None:
    source = each["valueFrom"]
    if "fieldRef" in source:
        return field_of(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource_of(container, source["resourceFieldRef"])
    reference = source.get("configMapKeyRef") or source["secretKeyRef"]
    try:
        return _value(reference, "configmaps" if "configMapKeyRef" in source else "secrets", lookup)
    except MissingObject:
        if reference.get("optional"):
            return None
        raise


def _value(reference: Mapping[str, Any], kind: str, lookup: Lookup) -> str:
    found = lookup(kind, reference["name"])
    if reference["key"] not in found:
        raise MissingObject(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
    return found[reference["key"]]
