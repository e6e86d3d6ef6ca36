"""What every kind's pods have in common: names, labels, and the rules of hardening. Plain dicts in and out.

A builder states each field; nothing that a user typed becomes a key, a name, a label or a path.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tenants.kubenames import GPU, SCRATCH, nameable
from tenants.specs import Unit, quantity
from workloads.specs import EPHEMERAL_STORAGE_MIB, Extra, JobSpec

Manifest = dict[str, Any]

SERVICE_ACCOUNT = "berth-workload"
FIELD_MANAGER = "berth"
CONTAINER = "main"
WORKSPACE = "/workspace"
SCRIPT_DIR = f"{WORKSPACE}/.berth"
SCRIPT_PATH = f"{SCRIPT_DIR}/script"
LEAST_UID = 10_000
TMP_MIB = 512
WORKSPACE_MIB = 1_280  # with /tmp it leaves room for the log file inside the ephemeral-storage limit
GRACE_S = 10
GPU_RESOURCE = GPU
PRODUCT_LABEL = "nvidia.com/gpu.product"
UID_ANNOTATION = "berth.dev/uid"
DIGEST_ANNOTATION = "berth.dev/spec-digest"

_DEFAULT_ENV = {"HOME": WORKSPACE, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """All that a builder knows: who asks for the objects, their names, and the spec they are made of.

    `extra` is what the workload's row keeps of other resource types, `gpu_class` the key of that class of GPUs in it
    which the attempt was admitted with. `uid_range_start` is the first user id of the
    tenant's range. `host_users` False asks for a user namespace; None leaves the choice to the cluster, for nodes that
    cannot do it.
    """

    installation_id: UUID
    tenant_id: UUID
    workload_id: UUID
    attempt_id: UUID
    attempt_n: int
    namespace: str
    object_name: str
    spec: JobSpec
    spec_digest: str
    uid_range_start: int
    extra: Mapping[str, Extra] = field(default_factory=dict)
    gpu_class: str = ""
    host_users: bool | None = None

    @property
    def extra_amounts(self) -> dict[str, str]:
        """What is asked beyond the built-in resources, by Kubernetes' name, scratch space left out."""
        others = (found for found in self.extra.values() if not found.product and found.kube_name != SCRATCH)
        wanted = {found.kube_name: found for found in others}
        return {name: quantity(Unit(found.unit), found.amount) for name, found in sorted(wanted.items())}

    @property
    def extra_scratch_mib(self) -> int:
        """The scratch space that is asked for beyond what each pod has."""
        return sum(found.amount for found in self.extra.values() if found.kube_name == SCRATCH)


def labels(context: BuildContext) -> dict[str, str]:
    """Return the labels of every object of an attempt."""
    return {
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        "berth.dev/installation": str(context.installation_id),
        "berth.dev/tenant": str(context.tenant_id),
        "berth.dev/workload": str(context.workload_id),
        "berth.dev/attempt": str(context.attempt_n),
        "berth.dev/kind": context.spec.kind,
    }


def metadata(context: BuildContext) -> dict[str, Any]:
    """Return the metadata of a root object: its deterministic name, and the attempt it belongs to as an annotation."""
    return {
        "name": context.object_name,
        "namespace": context.namespace,
        "labels": labels(context),
        "annotations": annotations(context),
    }


def annotations(context: BuildContext) -> dict[str, str]:
    """Return the annotations of every object of an attempt."""
    return {UID_ANNOTATION: str(context.attempt_id), DIGEST_ANNOTATION: context.spec_digest}


def script_config_map(context: BuildContext) -> Manifest:
    """Return the ConfigMap that holds the spec's script; it never changes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(context),
        "immutable": True,
        "data": {"script": context.spec.script},
    }


def pod_spec(context: BuildContext) -> dict[str, Any]:
    """Return the spec of a hardened pod that runs the spec's container once."""
    spec = context.spec
    built: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "containers": [_container(context)],
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": _pod_security(context.uid_range_start),
        "serviceAccountName": SERVICE_ACCOUNT,
        "terminationGracePeriodSeconds": GRACE_S,
        "volumes": _volumes(context),
    }
    if context.gpu_class:
        built["nodeSelector"] = {PRODUCT_LABEL: context.extra[context.gpu_class].product}
    if context.host_users is not None:
        built["hostUsers"] = context.host_users
    if spec.max_runtime_s is not None:
        built["activeDeadlineSeconds"] = spec.max_runtime_s
    return built


def _pod_security(uid: int) -> dict[str, Any]:
    return {
        "fsGroup": uid,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": uid,
        "runAsNonRoot": True,
        "runAsUser": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _pull_policy(image: str) -> str:
    """Return Kubernetes' own default: a reference that may mean something new tomorrow is looked up each time."""
    if "@" in image:
        return "IfNotPresent"
    _repository, colon, tag = image.rpartition("/")[2].partition(":")
    return "IfNotPresent" if colon and tag != "latest" else "Always"


def _container(context: BuildContext) -> dict[str, Any]:
    spec = context.spec
    built: dict[str, Any] = {
        "name": CONTAINER,
        "image": spec.image,
        "imagePullPolicy": _pull_policy(spec.image),
        "env": [{"name": name, "value": literal(value)} for name, value in {**_DEFAULT_ENV, **spec.env}.items()],
        "resources": _resources(context),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _volume_mounts(spec),
        "workingDir": WORKSPACE,
    }
    command, args = _command(spec)
    if command:
        built["command"] = [literal(item) for item in command]
    if args:
        built["args"] = [literal(item) for item in args]
    return built


def _command(spec: JobSpec) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if spec.script is None:
        return spec.command, spec.args
    return (*(spec.command or ("python3",)), SCRIPT_PATH), spec.args


def literal(text: str) -> str:
    """Return text so that Kubernetes hands it on as it is: it would expand `$(NAME)` and turn `$$` into `$`."""
    return text.replace("$", "$$")


def _resources(context: BuildContext) -> dict[str, Any]:
    """Return requests and limits, equal but for CPU: idle cores may be used beyond what is asked."""
    asked = context.spec.resources
    scratch_mib = EPHEMERAL_STORAGE_MIB + context.extra_scratch_mib
    hard = {"memory": f"{asked.memory_mib}Mi", SCRATCH: f"{scratch_mib}Mi"}
    if asked.gpus:
        hard[GPU_RESOURCE] = str(asked.gpus)
    hard |= context.extra_amounts
    return {"requests": {"cpu": f"{asked.cpu_millicores}m", **hard}, "limits": dict(hard)}


def _volumes(context: BuildContext) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "workspace", "emptyDir": {"sizeLimit": f"{WORKSPACE_MIB + context.extra_scratch_mib}Mi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": f"{TMP_MIB}Mi"}},
    ]
    if context.spec.script is not None:
        source = {
            "name": context.object_name,
            "defaultMode": 0o444,
            "items": [{"key": "script", "path": "script"}],
        }
        volumes.append({"name": "script", "configMap": source})
    return volumes


def _volume_mounts(spec: JobSpec) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "workspace", "mountPath": WORKSPACE},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 (a path in the container, on its own volume)
    ]
    if spec.script is not None:
        mounts.append({"name": "script", "mountPath": SCRIPT_DIR, "readOnly": True})
    return mounts


# What a pod may say at most. Whatever a later builder adds must be added here too, by somebody who thought about it.
_JOB_FIELDS = frozenset(
    {
        "backoffLimit",
        "completionMode",
        "completions",
        "parallelism",
        "podFailurePolicy",
        "podReplacementPolicy",
        "template",
        "ttlSecondsAfterFinished",
    }
)
_POD_FIELDS = frozenset(
    {
        "activeDeadlineSeconds",
        "automountServiceAccountToken",
        "containers",
        "enableServiceLinks",
        "hostUsers",
        "nodeSelector",
        "restartPolicy",
        "securityContext",
        "serviceAccountName",
        "terminationGracePeriodSeconds",
        "volumes",
    }
)
_CONTAINER_FIELDS = frozenset(
    {
        "args",
        "command",
        "env",
        "image",
        "imagePullPolicy",
        "name",
        "resources",
        "securityContext",
        "terminationMessagePolicy",
        "volumeMounts",
        "workingDir",
    }
)
_POD_SECURITY_FIELDS = frozenset(
    {"fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot", "runAsUser", "seccompProfile"}
)
_VOLUME_SOURCES = frozenset({"emptyDir", "configMap"})
_RESOURCES = frozenset({"cpu", "memory", SCRATCH, GPU_RESOURCE})
_LABELS = frozenset(
    {
        "app.kubernetes.io/managed-by",
        *(f"berth.dev/{name}" for name in ("installation", "tenant", "workload", "attempt", "kind")),
    }
)
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}


def revalidate(manifest: Mapping[str, Any], extra: Collection[str] = ()) -> list[str]:
    """Return what a built object holds that it must not; empty means that it may be sent.

    Does not trust the builder: only listed fields pass, so a new field is refused until it is listed here. `extra` are
    names of resources that the workload asked for; one that could not be a resource type is refused all the same.
    """
    found = list(_metadata_faults(manifest.get("metadata", {})))
    kind = manifest.get("kind")
    if kind == "Job":
        template = manifest["spec"]["template"]
        found += _extra("job", manifest["spec"], _JOB_FIELDS)
        found += _metadata_faults(template["metadata"])
        found += _pod_faults(template["spec"], extra)
    elif kind != "ConfigMap":
        found.append(f"kind {kind}")
    return found


def _metadata_faults(found: Mapping[str, Any]) -> Iterator[str]:
    yield from _extra("metadata", found, {"name", "namespace", "labels", "annotations"})
    yield from _extra("labels", found.get("labels", {}), _LABELS)
    yield from _extra("annotations", found.get("annotations", {}), {UID_ANNOTATION, DIGEST_ANNOTATION})
    if _LABELS - found.get("labels", {}).keys():
        yield "labels are missing"


def _pod_faults(pod: Mapping[str, Any], extra: Collection[str]) -> Iterator[str]:
    yield from _extra("pod", pod, _POD_FIELDS)
    if pod.get("automountServiceAccountToken") is not False or pod.get("serviceAccountName") != SERVICE_ACCOUNT:
        yield "service account"
    if pod.get("enableServiceLinks") is not False or pod.get("hostUsers") is True:
        yield "service links or host users"
    yield from _extra("node selector", pod.get("nodeSelector", {}), {PRODUCT_LABEL})
    yield from _pod_security_faults(pod.get("securityContext", {}))
    for volume in pod.get("volumes", []):
        yield from _extra("volume", volume, _VOLUME_SOURCES | {"name"})
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield "emptyDir without a limit"
    for container in pod["containers"]:
        yield from _container_faults(container, extra)


def _pod_security_faults(security: Mapping[str, Any]) -> Iterator[str]:
    yield from _extra("pod security", security, _POD_SECURITY_FIELDS)
    if security.get("runAsNonRoot") is not True or security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "pod security: root or seccomp"
    if any(security.get(name, 0) < LEAST_UID for name in ("runAsUser", "runAsGroup", "fsGroup")):
        yield "pod security: a user or group id below the tenants' ranges"


def _container_faults(container: Mapping[str, Any], extra: Collection[str]) -> Iterator[str]:
    yield from _extra("container", container, _CONTAINER_FIELDS)
    if container.get("securityContext") != _CONTAINER_SECURITY:
        yield "container security"
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    yield from _extra("resources", {**requests, **limits}, _RESOURCES | {name for name in extra if nameable(name)})
    if {name: amount for name, amount in requests.items() if name != "cpu"} != limits or "memory" not in limits:
        yield "resources: requests differ from limits"
    for variable in container.get("env", []):
        yield from _extra("env", variable, {"name", "value"})
    for mount in container.get("volumeMounts", []):
        yield from _extra("mount", mount, {"name", "mountPath", "readOnly"})


def _extra(where: str, found: Mapping[str, Any], allowed: frozenset[str] | set[str]) -> Iterator[str]:
    for name in sorted(found.keys() - allowed):
        yield f"{where}: {name}"
