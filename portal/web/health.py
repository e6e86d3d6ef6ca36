"""Readiness of the portal: database, broker, cluster, each with its age or problem."""

from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from portal.web.cluster_health import cluster_health


def report() -> dict[str, Any]:
    """Return {"status": ok|degraded|down, "database": …, "broker": …, "cluster": …}; down only without a database."""
    database = _database()
    if database != "ok":
        return {"status": "down", "database": database}
    broker = _broker()
    cluster = cluster_health()
    healthy = broker == "ok" and not cluster.stale
    return {
        "status": "ok" if healthy else "degraded",
        "database": database,
        "broker": broker,
        "cluster": {
            "state": "absent" if cluster.absent else "stale" if cluster.stale else "ok",
            "reachable_age_s": cluster.reachable_age_s,
            "synced_age_s": cluster.synced_age_s,
        },
    }


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "away"
    return "ok"


def _broker() -> str:
    try:
        cache.get("readyz")
    except (RedisError, OSError):
        return "away"
    return "ok"
