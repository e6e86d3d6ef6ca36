"""The vocabulary of tenants: slugs, limits, roles' names. No database, no framework."""

import enum
import re
from dataclasses import dataclass

SLUG_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
NAMESPACE_PREFIX = "berth-"
RESERVED_SLUGS = frozenset({"system", "new"})

# What a tenant may be given at most: beyond it a typing error is likelier than a machine.
MAX_CPU_MILLICORES = 100_000_000
MAX_MEMORY_MIB = 1_073_741_824
MAX_PODS = 100_000
MAX_GPUS = 100_000


class TenantStatus(enum.StrEnum):
    """Whether the tenant's namespace is complete; work starts only in a ready one."""

    CREATING = "creating"
    READY = "ready"
    ERROR = "error"


class Role(enum.StrEnum):
    """A membership's role; each holds all that the ones before it hold."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most of each resource that a tenant's unreleased pods may ask for together."""

    cpu_millicores: int
    memory_mib: int
    pods: int
    gpus: int


def slug_valid(slug: str) -> bool:
    """Tell whether a slug can name a namespace: 1-40 of a-z, 0-9 and inner hyphens, none reserved (RFC 1123 label)."""
    return SLUG_PATTERN.fullmatch(slug) is not None and slug not in RESERVED_SLUGS


def namespace_of(slug: str) -> str:
    """Return the tenant's namespace."""
    return NAMESPACE_PREFIX + slug
