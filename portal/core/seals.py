"""Seals the audit trail: each seal is the digest of a stretch of entries and of the seal before it.

A trigger refuses changes of entries, but not to who can switch it off. With seals such a change shows: `verify`
recomputes them. Who can rewrite entries and all later seals can hide it, unless a digest was noted elsewhere: `verify`
takes one that must be in the chain.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from portal.core.models import AuditEntry, AuditSeal, Installation

# Numbers are given before a commit: an entry may appear below others that are there already, while its transaction
# lasts. None does for this long.
SEALED_AFTER = dt.timedelta(minutes=5)
MOST_ENTRIES = 10_000
_BEGIN = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the chain found: a fault in words for operators, "" without one; seals, entries, the last digest.

    `unsealed` counts the entries that are too young to be sealed.
    """

    fault: str
    seals: int
    entries: int
    unsealed: int
    head: str


def seal(*, now: dt.datetime | None = None) -> int:
    """Seal what is older than five minutes, at most 10,000 entries; return how many. Three statements at least.

    Two at once wait for each other, and the second finds what is left.
    """
    with transaction.atomic():
        Installation.objects.select_for_update().get(singleton=True)
        last = AuditSeal.objects.order_by("-id").first()
        old_enough = (now or timezone.now()) - SEALED_AFTER
        found = _entries(last.last_id if last else 0)[:MOST_ENTRIES]
        taken = list(_until_young(found, old_enough))
        if taken:
            digest = digest_of(last.digest if last else _BEGIN, taken)
            AuditSeal.objects.create(first_id=taken[0].pk, last_id=taken[-1].pk, count=len(taken), digest=digest)
    return len(taken)


def verify(*, expected: str = "") -> Verdict:
    """Recompute the chain from its beginning. With `expected`, a digest noted earlier must be one of its seals'.

    One statement for the seals, one for the entries of each.
    """
    before, last_id, entries, seen, fault = _BEGIN, 0, 0, set[str](), ""
    seals = list(AuditSeal.objects.order_by("id"))
    for found in seals:
        stretch = list(AuditEntry.objects.filter(id__gt=last_id, id__lte=found.last_id).order_by("id"))
        fault = _fault(found, before, stretch)
        if fault:
            break
        before, last_id, entries = found.digest, found.last_id, entries + found.count
        seen.add(found.digest)
    if not fault and expected and expected not in seen:
        fault = "the expected digest is none of the chain's: seals were taken off its end or made anew"
    return Verdict(fault, len(seals), entries, _entries(last_id).count(), before)


def digest_of(before: str, entries: list[AuditEntry]) -> str:
    """Return the SHA-256, in hex, of the digest before and of each entry as a line of JSON with sorted keys."""
    made = hashlib.sha256(before.encode())
    for entry in entries:
        made.update(json.dumps(_line(entry), sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return made.hexdigest()


def _line(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.pk,
        "time": entry.time.astimezone(dt.UTC).isoformat(timespec="microseconds"),
        "actor": str(entry.actor_id),
        "actor_name": entry.actor_name,
        "action": entry.action,
        "target": [entry.target_type, entry.target_id],
        "tenant": str(entry.tenant_id),
        "before": entry.before,
        "after": entry.after,
        "request": entry.request_id,
    }


def _entries(after: int) -> "QuerySet[AuditEntry]":
    return AuditEntry.objects.filter(id__gt=after).order_by("id")


def _until_young(entries: "QuerySet[AuditEntry]", old_enough: dt.datetime) -> Iterator[AuditEntry]:
    for entry in entries:
        if entry.time > old_enough:
            return
        yield entry


def _fault(found: AuditSeal, before: str, entries: list[AuditEntry]) -> str:
    where = f"seal {found.pk}, entries {found.first_id} to {found.last_id}"
    if len(entries) != found.count:
        return f"{where}: {found.count} entries were sealed, {len(entries)} are there"
    if digest_of(before, entries) != found.digest:
        return f"{where}: an entry, or the seal before, is not as it was sealed"
    return ""
