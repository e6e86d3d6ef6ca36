"""The vocabulary of tenants: slugs, limits, roles' names. No database, no framework."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

SLUG_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
NAMESPACE_PREFIX = "berth-"
RESERVED_SLUGS = frozenset({"system", "new"})

MAX_TENANT_NAME = 120
MAX_RUNTIME_S = 30 * 24 * 3600
MOST_WORKLOADS = 100_000
QUEUE_WAKE = "queue"

# Amounts of resources by the key of their type, whole numbers in the type's unit.
Amounts = Mapping[str, int]

# Keys of the types that come with Berth and that the product itself speaks of; all others are rows like any other.
CPU, MEMORY, GPUS, PODS = "cpu_millicores", "memory_mib", "gpus", "pods"
BUILT_IN = frozenset({CPU, MEMORY, GPUS, PODS})

# User ids of pods: 200,000 ranges of 10,000, all below 2³¹.
UID_RANGES_FROM = 100_000_000
UID_RANGES = 200_000
UID_RANGE = 10_000


class TenantStatus(enum.StrEnum):
    """Whether the tenant's namespace is complete; work starts only in a ready one."""

    CREATING = "creating"
    READY = "ready"
    ERROR = "error"


class Obstacle(enum.StrEnum):
    """Why a tenant's namespace is not complete; kept in `status_detail`, a message may follow it."""

    NONE = ""
    FOREIGN = "foreign_namespace"  # it exists and is not ours: never adopted
    TERMINATING = "terminating"
    WAITING = "waiting_for_quota"  # everything is applied; the cluster has not counted yet
    REFUSED = "refused"


class Role(enum.StrEnum):
    """A membership's role; each holds all that the ones before it hold."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    ADMIN = "admin"


class Priority(enum.StrEnum):
    """Whose turn comes first in the queue: in this order, and first come within one."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """Its place in the order, as rows keep it: 0 comes first."""
        return list(Priority).index(self)


class Excess(enum.StrEnum):
    """What is to become of what is held beyond a limit that is lowered."""

    REFUSE = "refuse"  # say so and change nothing
    KEEP = "keep"  # as overhang, until its work ends
    DRAIN = "drain"  # stop work of the tenant until it is gone; until then it is overhang


def usual_priorities() -> list[str]:
    """Return what a new tenant allows: to go before others is for an administrator to grant."""
    return [Priority.NORMAL.value, Priority.LOW.value]


class Unit(enum.StrEnum):
    """What a resource type's whole numbers count."""

    MILLICORES = "millicores"
    MIB = "mib"
    COUNT = "count"


# What a tenant may be given at most: beyond it a typing error is likelier than a machine.
MOST = {Unit.MILLICORES: 100_000_000, Unit.MIB: 1_073_741_824, Unit.COUNT: 100_000}
MOST_OF_ALL = max(MOST.values())

# From Kubernetes' base units (cores, bytes, pieces) to ours.
FACTORS = {Unit.MILLICORES: Decimal(1000), Unit.MIB: Decimal(1) / (1024 * 1024), Unit.COUNT: Decimal(1)}
_SUFFIXES = {Unit.MILLICORES: "m", Unit.MIB: "Mi", Unit.COUNT: ""}


def quantity(unit: Unit, amount: int) -> str:
    """Return an amount as Kubernetes writes it: "500m", "512Mi", "2"."""
    return f"{amount}{_SUFFIXES[unit]}"


def slug_valid(slug: str) -> bool:
    """Tell whether a slug can name a namespace: 1-40 of a-z, 0-9 and inner hyphens, none reserved (RFC 1123 label)."""
    return SLUG_PATTERN.fullmatch(slug) is not None and slug not in RESERVED_SLUGS


def namespace_of(slug: str) -> str:
    """Return the tenant's namespace."""
    return NAMESPACE_PREFIX + slug


@dataclass(frozen=True, slots=True)
class Quota:
    """The most that a tenant may hold of a resource type; `quota_key` is the name that a ResourceQuota has for it."""

    key: str
    quota_key: str
    unit: Unit
    most: int
    kube_name: str = ""


@dataclass(frozen=True, slots=True)
class NamespaceSpec:
    """Everything that decides what a tenant's namespace holds."""

    slug: str
    tenant_id: UUID
    installation_id: UUID
    quotas: tuple[Quota, ...]
    dns_addresses: tuple[str, ...] = ()

    @property
    def namespace(self) -> str:
        return namespace_of(self.slug)


def uid_range_start(tenant_id: UUID) -> int:
    """Return the first user id of the tenant's range of 10,000, always the same for a tenant.

    Two tenants may share a range: user ids are the second fence, the namespaces are the first.
    """
    return UID_RANGES_FROM + tenant_id.int % UID_RANGES * UID_RANGE
