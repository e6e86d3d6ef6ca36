"""Tells open pages what changed. A hint: who misses it re-reads, so nothing here may fail or wait long."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from uuid import UUID

import msgspec
import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.live.payloads import WorkloadChanged, tenant_topic

__all__ = ["WorkloadChanged", "publish_workloads"]

_TRY_TIMEOUT_S = 0.25  # two tries, each connecting and sending: 1 s at the most
logger = structlog.get_logger(__name__)


def publish_workloads(changes: Sequence[WorkloadChanged]) -> None:
    """Publish changed rows, one message a tenant. Call after the commit. Never raises; at most 1 s."""
    by_tenant: dict[UUID, list[WorkloadChanged]] = defaultdict(list)
    for change in changes:
        by_tenant[change.tenant_id].append(change)
    if not by_tenant:
        return
    try:
        with _broker(settings.REDIS_URL).pipeline(transaction=False) as pipe:
            for tenant_id, of_tenant in by_tenant.items():
                pipe.publish(tenant_topic(tenant_id), msgspec.msgpack.encode(of_tenant))
            pipe.execute()
    except redis.RedisError as exc:
        logger.warning("row changes not published", error=str(exc), changes=len(changes))


@cache
def _broker(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=_TRY_TIMEOUT_S,
        socket_connect_timeout=_TRY_TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),  # a connection that died since its last use is no reason to lose a hint
    )
