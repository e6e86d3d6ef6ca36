"""The vocabulary of workloads: states, reasons, the frozen spec and its validation. No database, no framework."""

import dataclasses
import enum
import hashlib
import re
from typing import Any

import msgspec

from tenants.specs import MAX_RUNTIME_S, MOST_OF_ALL, Amounts, Priority


class State(enum.StrEnum):
    """Where a workload is; see docs/architecture.md for the graph."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    SUSPENDED = "suspended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
ACTIVE = frozenset(State) - TERMINAL


class Desired(enum.StrEnum):
    """What somebody wants of a workload."""

    RUN = "run"
    STOP = "stop"


class Visibility(enum.StrEnum):
    """Who may see and use a template."""

    OWN = "own"
    TENANT = "tenant"
    PUBLIC = "public"


class EndState(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Reason(enum.StrEnum):
    """Why a workload is in its state: stable codes, rendered in the reader's language by `explain`."""

    NONE = ""
    # while queued
    CLUSTER_ABSENT = "cluster_absent"
    CLUSTER_STALE = "cluster_stale"
    TENANT_NOT_READY = "tenant_not_ready"
    OVER_QUOTA = "over_quota"
    OVER_SHARE = "over_share"
    MAX_RUNNING = "max_running"
    NO_CAPACITY = "no_capacity"
    NO_NODE = "no_node"
    TOO_LARGE = "too_large"
    BEHIND_OTHERS = "behind_others"
    RETRYING = "retrying"
    DRAINED = "drained"
    # while starting
    CREATING = "creating"
    REFUSED_RETRYING = "refused_retrying"
    UNSCHEDULABLE = "unschedulable"
    PULLING_IMAGE = "pulling_image"
    IMAGE_PULL_FAILED = "image_pull_failed"
    CONTAINER_CREATING = "container_creating"
    # ends
    EXIT_CODE = "exit_code"
    OOM_KILLED = "oom_killed"
    DEADLINE = "deadline"
    EVICTED = "evicted"
    NODE_LOST = "node_lost"
    REFUSED = "refused"
    IMAGE_INVALID = "image_invalid"
    START_FAILED = "start_failed"
    OBJECT_DELETED = "object_deleted"
    FOREIGN_OBJECT = "foreign_object"
    CANCELLED_BY = "cancelled_by"
    UNKNOWN = "unknown"


MAX_SCRIPT_BYTES = 262_144
MAX_NAME = 63
MAX_COMMAND_ITEMS = 256
MAX_ARG_BYTES = 32_768
MAX_ENV = 200
MAX_ENV_VALUE_BYTES = 32_768
MAX_COMMAND_BYTES = (
    131_072  # command and args together: what execve takes in one piece, and an API object with room left
)
MAX_ENV_BYTES = 131_072
MAX_ENV_NAME = 253
MAX_EXTRA = 20
MAX_IMAGE = 500
MAX_REPOSITORY = 255
MAX_RETRIES = 10
MIN_MEMORY_MIB = 16
MIN_CPU_MILLICORES = 10
EPHEMERAL_STORAGE_MIB = 2_048
MOST_CLUSTER_EVENTS = 200
MAX_TEMPLATE_SLUG = 60
MAX_TEMPLATE_REF = 101  # tenant, slash, slug
MAX_TEMPLATE_VERSION = 2**31 - 1
MAX_TEMPLATE_TITLE = 80
MAX_TEMPLATE_SUMMARY = 200
MAX_TEMPLATE_NOTE = 200
MAX_FILTER_NAME = 40
MAX_FILTER_QUERY = 500


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each pod asks for; requests equal limits but for CPU, which may burst.

    `gpu_models` are keys of classes of GPUs, any of which will do, the preferred one first; empty: any GPU. `extra` is
    what is asked of resource types beyond the built-in ones, by key, in the type's unit.
    """

    cpu_millicores: int
    memory_mib: int
    gpus: int = 0
    gpu_models: tuple[str, ...] = ()
    extra: dict[str, int] = msgspec.field(default_factory=dict)


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What a workload asks of a resource type beyond the built-in ones, with the type's words, as they were when it was
    submitted: a row tells it, and its pod is made of it, without looking the type up.

    With a `product` it is a class of GPUs, one of those that will do; `rank` is its place among them, from 0.
    """

    amount: int
    kube_name: str
    unit: str
    label: str
    label_zh: str
    product: str = ""
    rank: int = 0


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen submission of kind `job`: one container that runs to its end.

    `script`, where given, is mounted at /workspace/.berth/script and its path is appended to `command`, before `args`.
    `template` names what it was started from (`tenant/slug`, or `slug` of one that comes with Berth).
    """

    name: str
    image: str
    resources: Resources
    kind: str = "job"
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    script: str | None = None
    env: dict[str, str] = msgspec.field(default_factory=dict)
    max_runtime_s: int | None = None
    retries: int = 0
    priority: str = Priority.NORMAL.value
    template: str = ""
    template_version: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One field's complaint: a stable code and the numbers of its sentence."""

    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


EXTRA_FIELD = "extra-"


def extra_field(key: str) -> str:
    """Return the field of a spec that says how much of a resource type is asked for."""
    return EXTRA_FIELD + key


_LEAST = {"cpu_millicores": MIN_CPU_MILLICORES, "memory_mib": MIN_MEMORY_MIB, "gpus": 0}
KINDS = frozenset({"job"})

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TEMPLATE = re.compile(rf"(?:[a-z0-9-]{{1,40}}/)?[A-Za-z0-9_-]{{1,{MAX_TEMPLATE_SLUG}}}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENV_DENIED = frozenset({"LD_PRELOAD", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"})
_ENV_DENIED_PREFIX = "KUBERNETES_"

# The grammar of github.com/distribution/reference, in full but for digests: sha256 alone.
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])"
_PATH = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?/)?(?P<path>{_PATH}(?:/{_PATH})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_MAX_PORT = 65_535


def spec_of(value: Any) -> JobSpec:
    """Return the spec that JSON-like data holds; raises msgspec.ValidationError for another shape."""
    return msgspec.convert(value, JobSpec)


def spec_json(spec: JobSpec) -> dict[str, Any]:
    """Return the spec as JSON-like data, as it is stored."""
    built: dict[str, Any] = msgspec.to_builtins(spec)
    return built


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON (keys sorted, no spaces) of a spec or of JSON-like data."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()


def spec_problems(spec: JobSpec) -> list[Problem]:
    """Return what is wrong with a spec in itself; an empty list means that a manifest can be built of it."""
    return [
        *_name_problems(spec.name),
        *([] if spec.kind in KINDS else [Problem("kind", "unknown_kind")]),
        *_image_problems(spec.image),
        *_command_problems(spec),
        *_script_problems(spec.script),
        *env_problems(spec.env),
        *_least_problems(spec.resources),
        *_extra_problems(spec.resources.extra),
        *_model_problems(spec.resources),
        *_template_problems(spec),
        *([] if spec.priority in set(Priority) else [Problem("priority", "unknown_priority")]),
        *_range_problems("retries", spec.retries, 0, MAX_RETRIES),
        *([] if spec.max_runtime_s is None else _range_problems("max_runtime_s", spec.max_runtime_s, 1, MAX_RUNTIME_S)),
    ]


def env_problems(env: dict[str, str]) -> list[Problem]:
    """Return what is wrong with an environment: names, values, sizes."""
    if len(env) > MAX_ENV:
        return [Problem("env", "too_many", {"count": len(env), "limit": MAX_ENV})]
    problems = [problem for name, value in env.items() for problem in _variable_problems(name, value)]
    total = sum(_size(name) + _size(value) for name, value in env.items())
    return problems or _size_problems("env", total, MAX_ENV_BYTES)


def _variable_problems(name: str, value: str) -> list[Problem]:
    if not _ENV_NAME.fullmatch(name) or len(name) > MAX_ENV_NAME:
        return [Problem("env", "env_name", {"name": name})]
    if name in _ENV_DENIED or name.startswith(_ENV_DENIED_PREFIX):
        return [Problem("env", "env_denied", {"name": name})]
    return _text_problems("env", value, MAX_ENV_VALUE_BYTES, {"name": name})


def _name_problems(name: str) -> list[Problem]:
    if not name:
        return [Problem("name", "required")]
    if len(name) > MAX_NAME:
        return [Problem("name", "name_long", {"length": len(name), "limit": MAX_NAME})]
    return [] if _NAME.fullmatch(name) else [Problem("name", "name_form")]


def _image_problems(image: str) -> list[Problem]:
    if not image:
        return [Problem("image", "required")]
    if len(image) > MAX_IMAGE:
        return [Problem("image", "image_long", {"length": len(image), "limit": MAX_IMAGE})]
    if any(char.isspace() for char in image):
        return [Problem("image", "image_space")]
    found = _IMAGE.fullmatch(image)
    if found is None:
        lower = _IMAGE.fullmatch(image.lower())
        return [Problem("image", "image_uppercase" if lower else "image_form")]
    if found["host"] and not _names_a_registry(image.partition("/")[0]):
        return [Problem("image", "image_uppercase")]
    return [] if _image_fits(found) else [Problem("image", "image_form")]


def _names_a_registry(first: str) -> bool:
    """Tell whether the part before the first slash is a registry, as every client decides it, and not a repository."""
    return "." in first or ":" in first or first == "localhost" or first.lower() == first


def _image_fits(found: re.Match[str]) -> bool:
    name = found["path"] if found["host"] is None else f"{found['host']}/{found['path']}"
    port_valid = found["port"] is None or 0 < int(found["port"]) <= _MAX_PORT
    # an id names an image that lies on a node, whoever may pull it
    return port_valid and len(name) <= MAX_REPOSITORY and not _IMAGE_ID.fullmatch(found[0])


def _command_problems(spec: JobSpec) -> list[Problem]:
    count = len(spec.command) + len(spec.args)
    if count > MAX_COMMAND_ITEMS:
        return [Problem("command", "too_many", {"count": count, "limit": MAX_COMMAND_ITEMS})]
    if spec.command and not spec.command[0].strip():
        return [Problem("command", "command_empty")]
    fields = (("command", spec.command), ("args", spec.args))
    problems = [
        problem for name, items in fields for item in items for problem in _text_problems(name, item, MAX_ARG_BYTES)
    ]
    total = sum(_size(item) for _, items in fields for item in items)
    return problems[:1] or _size_problems("command", total, MAX_COMMAND_BYTES)


def _script_problems(script: str | None) -> list[Problem]:
    if script is None:
        return []
    if not script.strip():
        return [Problem("script", "script_empty")]
    return _text_problems("script", script, MAX_SCRIPT_BYTES)


def _template_problems(spec: JobSpec) -> list[Problem]:
    if spec.template and not _TEMPLATE.fullmatch(spec.template):
        return [Problem("template", "unknown_template")]
    number = spec.template_version
    known = number is None or (spec.template and 1 <= number <= MAX_TEMPLATE_VERSION)
    return [] if known else [Problem("template_version", "unknown_version")]


def _least_problems(resources: Resources) -> list[Problem]:
    return [
        Problem(name, "below", {"asked": asked, "limit": least})
        for name, least in _LEAST.items()
        if (asked := getattr(resources, name)) < least
    ]


def _model_problems(resources: Resources) -> list[Problem]:
    models = resources.gpu_models
    if len(models) > MAX_EXTRA:
        return [Problem("gpu_models", "too_many", {"count": len(models), "limit": MAX_EXTRA})]
    if len(set(models)) < len(models):
        return [Problem("gpu_models", "model_twice")]
    return [Problem("gpu_models", "models_without_gpus")] if models and not resources.gpus else []


def _extra_problems(extra: Amounts) -> list[Problem]:
    if len(extra) > MAX_EXTRA:
        return [Problem("extra", "too_many", {"count": len(extra), "limit": MAX_EXTRA})]
    return [
        Problem(extra_field(key), "range", {"least": 1, "most": MOST_OF_ALL})
        for key, amount in extra.items()
        if not 1 <= amount <= MOST_OF_ALL
    ]


def _range_problems(name: str, value: int, least: int, most: int) -> list[Problem]:
    return [] if least <= value <= most else [Problem(name, "range", {"least": least, "most": most})]


def _text_problems(name: str, text: str, limit_bytes: int, params: dict[str, Any] | None = None) -> list[Problem]:
    if "\0" in text:
        return [Problem(name, "nul", params or {})]
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair: no UTF-8 has it
        return [Problem(name, "not_text", params or {})]
    return _size_problems(name, size, limit_bytes, params)


def _size_problems(name: str, size: int, limit: int, params: dict[str, Any] | None = None) -> list[Problem]:
    return [] if size <= limit else [Problem(name, "bytes", {**(params or {}), "size": size, "limit": limit})]


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
