"""What speaks for a request, gathered when it is made and kept with it: use, waits, and the share that was not held.

Idle devices are not in it: nothing measures them yet.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from tenants.hours import Stretch, share_not_held, stretches_of
from tenants.ledger import Pair
from tenants.models import QuotaLine, Tenant
from workloads.waits import Waits, waits_of

VERSION = 1


@dataclass(frozen=True, slots=True)
class TypeEvidence:
    """Of one resource type, in its unit, when the request was made; `since` is None where no hour is known."""

    key: str
    used: int
    nominal: int
    free: int
    not_held_pct: float | None
    since: dt.datetime | None
    short_of: int
    stretches: list[Stretch]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it, as of a time."""

    at: dt.datetime
    types: list[TypeEvidence]
    waits: Waits


def gathered(tenant: Tenant, pairs: Collection[tuple[QuotaLine, Pair]], keys: Collection[str]) -> dict[str, Any]:
    """Return the evidence on these types as JSON, from ledger rows with their last 30 days. One statement."""
    return {
        "version": VERSION,
        "at": timezone.now().isoformat(),
        "types": [_type_json(line, pair) for line, pair in pairs if line.type.key in keys],
        "waits": {**asdict(waits := waits_of(tenant)), "since": waits.since.isoformat()},
    }


def evidence_of(stored: Mapping[str, Any]) -> Evidence:
    """Return the evidence that a request keeps."""
    waits = stored["waits"]
    types = [_type_of(found, waits["short_of"]) for found in stored["types"]]
    return Evidence(_time(stored["at"]), types, Waits(**{**waits, "since": _time(waits["since"])}))


def _type_json(line: QuotaLine, pair: Pair) -> dict[str, Any]:
    stretches = stretches_of(line)
    return {
        "key": line.type.key,
        "used": line.used,
        "nominal": line.nominal,
        "free": pair.room,
        "stretches": [
            [step.start.isoformat(), step.hours, round(step.used, 2), step.used_max, step.nominal] for step in stretches
        ],
    }


def _type_of(found: Mapping[str, Any], short_of: Mapping[str, int]) -> TypeEvidence:
    stretches = [Stretch(_time(start), *figures) for start, *figures in found["stretches"]]
    return TypeEvidence(
        key=found["key"],
        used=found["used"],
        nominal=found["nominal"],
        free=found["free"],
        not_held_pct=share_not_held(stretches),
        since=stretches[0].start if stretches else None,
        short_of=short_of.get(found["key"], 0),
        stretches=stretches,
    )


def _time(text: str) -> dt.datetime:
    found = parse_datetime(text)
    if found is None:
        raise ValueError(text)
    return found
