"""Health of the cluster as pages and /readyz tell it: from one row and one small file, never by asking the cluster."""

import datetime as dt
import json
from dataclasses import dataclass

from django.conf import settings
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from portal.core.models import ClusterStatus

STALE_AFTER_S = 10.0
# The stages that `up` names in progress.json, for people; what is missing here needs no word.
_STAGES = {
    "build": _("Compiling Kubernetes, once"),
    "node": _("Starting the node"),
    "access": _("Giving Berth its rights"),
}


@dataclass(frozen=True, slots=True)
class ClusterHealth:
    """`absent`: no cluster was ever reached; `stale`: what pages show may be old, since `since`."""

    absent: bool
    stale: bool
    since: dt.datetime | None
    reachable_age_s: float | None
    synced_age_s: float | None
    problem: str = ""
    stage: str = ""
    stage_detail: str = ""
    stage_percent: int | None = None


def cluster_health() -> ClusterHealth:
    """Read the status row (one statement) and, while the cluster is absent, what `up` says of building it."""
    row = ClusterStatus.objects.annotate(now=Now()).filter(pk=1).first()
    if row is None or row.reachable_at is None:
        progress = _progress()
        return ClusterHealth(
            absent=True,
            stale=True,
            since=None,
            reachable_age_s=None,
            synced_age_s=None,
            problem=row.problem if row else "",
            stage=str(_STAGES.get(str(progress.get("stage", "")), "")),
            stage_detail=str(progress.get("detail", "")),
            stage_percent=round(percent) if isinstance(percent := progress.get("percent"), int | float) else None,
        )
    reachable_age_s = _age_s(row.now, row.reachable_at)
    synced_age_s = _age_s(row.now, row.synced_at) if row.synced_at else None
    stale = reachable_age_s > STALE_AFTER_S or synced_age_s is None or synced_age_s > STALE_AFTER_S
    oldest = min(row.reachable_at, row.synced_at or row.reachable_at)
    return ClusterHealth(
        absent=False,
        stale=stale,
        since=oldest if stale else None,
        reachable_age_s=reachable_age_s,
        synced_age_s=synced_age_s,
        problem=row.problem,
    )


def _age_s(now: dt.datetime, then: dt.datetime) -> float:
    return max(0.0, (now - then).total_seconds())


def _progress() -> dict[str, object]:
    try:
        loaded = json.loads((settings.CLUSTER_DIR / "progress.json").read_text())
    except (OSError, ValueError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
