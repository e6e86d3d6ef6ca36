"""The vocabulary of workloads: states, reasons, the frozen spec and its validation. No database, no framework."""

import dataclasses
import enum
from typing import Any

import msgspec


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
    NO_CAPACITY = "no_capacity"
    NO_NODE = "no_node"
    TOO_LARGE = "too_large"
    BEHIND_OTHERS = "behind_others"
    RETRYING = "retrying"
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
MAX_RETRIES = 10
MAX_RUNTIME_S = 30 * 24 * 3600
MIN_MEMORY_MIB = 16
MIN_CPU_MILLICORES = 10
EPHEMERAL_STORAGE_MIB = 2_048


class Resources(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each pod asks for; requests equal limits but for CPU, which may burst."""

    cpu_millicores: int
    memory_mib: int
    gpus: int = 0


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen submission of kind `job`: one container that runs to its end.

    `script`, where given, is mounted at /workspace/.berth/script and its path is appended to `command`, before `args`.
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
    template: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One field's complaint: a stable code and the numbers of its sentence."""

    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
