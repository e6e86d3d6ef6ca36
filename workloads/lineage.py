"""Reads of how workloads come from each other, and pairs to compare. Everything goes through visible_to()."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Case, F, Q, Subquery, When

from portal.core.errors import NotVisible
from portal.core.models import User
from workloads.models import Workload

MOST_CLONES = 20
MOST_RECENT = 15


@dataclass(frozen=True, slots=True)
class Lineage:
    """A workload's parent with its spec, and its clones, newest first; only what the reader may see."""

    parent: Workload | None = None
    parent_spec: dict[str, Any] = field(default_factory=dict)
    clones: tuple[Workload, ...] = ()
    more: bool = False


def family_of(*, user: User, workload_id: uuid.UUID) -> tuple[Workload, Lineage]:
    """Return a workload, whom it was started from and what was started from it; raises NotVisible. One statement.

    Clones come without their specs, which hold whole scripts.
    """
    parent_id = Subquery(Workload.objects.filter(pk=workload_id).values("parent_id"))
    whole = Q(pk=workload_id) | Q(pk=parent_id)
    rows = Workload.objects.visible_to(user).filter(whole | Q(parent_id=workload_id))
    rows = rows.select_related("tenant", "owner").defer("spec").annotate(whole_spec=Case(When(whole, then=F("spec"))))
    found = list(rows.order_by(Case(When(whole, then=0), default=1), "-created", "-id")[: MOST_CLONES + 3])
    workload = next((row for row in found if row.pk == workload_id), None)
    if workload is None:
        raise NotVisible
    workload.spec = workload.whole_spec  # type: ignore[attr-defined]
    parent = next((row for row in found if row.pk == workload.parent_id), None)
    clones = [row for row in found if row.parent_id == workload_id]
    spec = parent.whole_spec if parent else {}  # type: ignore[attr-defined]
    return workload, Lineage(parent, spec, tuple(clones[:MOST_CLONES]), len(clones) > MOST_CLONES)


def pair_of(*, user: User, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Workload]:
    """Return workloads by id; raises NotVisible if one of them is missing or foreign. One statement."""
    rows = Workload.objects.visible_to(user).select_related("tenant", "owner")
    found = {row.pk: row for row in rows.filter(pk__in=list(ids))}
    if len(found) != len(set(ids)):
        raise NotVisible
    return found


def recent_of(*, user: User, but: Collection[uuid.UUID] = ()) -> list[Workload]:
    """Return the user's own newest workloads, for a choice. One statement."""
    rows = Workload.objects.visible_to(user).filter(owner=user).exclude(pk__in=list(but))
    return list(rows.select_related("tenant", "owner").defer("spec").order_by("-created", "-id")[:MOST_RECENT])
