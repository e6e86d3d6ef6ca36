"""What a Kubernetes event says about an attempt. Pure; what it reads is hostile, like all of the cluster's words."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from portal.kube.types import Event

MAX_MESSAGE_CHARS = 1_000
_MOST_COUNT = 2_147_483_647
_KINDS = frozenset({"Job", "Pod"})
# An attempt's Job is named `<kube_name>-<n>`, its pods after it.
_OBJECT = re.compile(r"(?P<kube_name>w-[a-z0-9]{10})-(?P<n>\d{1,4})(?:-.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """An event in the form in which it is stored, and by which names its attempt is found."""

    uid: UUID
    namespace: str
    kube_name: str
    n: int
    kind: str
    name: str
    warning: bool
    reason: str
    message: str
    source: str
    count: int
    first_seen: datetime
    last_seen: datetime


def seen_event(event: Event) -> SeenEvent | None:
    """Return what an event says of an attempt's Job or pod; None where it is about anything else, or has no time."""
    about = event.involved_object
    named = _OBJECT.fullmatch(about.name) if about.kind in _KINDS else None
    first, last = _span(event)
    uid = _uid(event.metadata.uid)
    if named is None or uid is None or first is None or last is None:
        return None
    return SeenEvent(
        uid=uid,
        namespace=_text(about.namespace or event.metadata.namespace, 63),
        kube_name=named["kube_name"],
        n=int(named["n"]),
        kind=about.kind,
        name=_text(about.name, 253),
        warning=event.type == "Warning",
        reason=_text(event.reason, 128),
        message=_text(event.message, MAX_MESSAGE_CHARS),
        source=_text(event.source.component or event.reporting_component, 128),
        count=_count(event),
        first_seen=first,
        last_seen=last,
    )


def _span(event: Event) -> tuple[datetime | None, datetime | None]:
    """Return when it was first and last seen, whichever form its reporter used."""
    in_series = event.series.last_observed_time if event.series else None
    first = event.first_timestamp or event.event_time or event.metadata.creation_timestamp
    last = event.last_timestamp or in_series or event.event_time or first
    moments = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in (first, last) if moment]
    return (min(moments), max(moments)) if moments else (None, None)


def _count(event: Event) -> int:
    stated = event.series.count if event.series else event.count
    return max(1, min(stated or 1, _MOST_COUNT))


def _uid(stated: str) -> UUID | None:
    try:
        return UUID(stated)
    except ValueError:
        return None


def _text(value: str | None, most_chars: int) -> str:
    return (value or "").replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:most_chars]
