"""System checks of what would otherwise fail without a word: sockets that open and never hear anything."""

from collections.abc import Sequence
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def check_broker_address(**kwargs: Any) -> Sequence[CheckMessage]:
    """Refuse a REDIS_URL that no client can be made from."""
    try:
        redis.ConnectionPool.from_url(settings.REDIS_URL)
    except ValueError as exc:
        return [Error(f"REDIS_URL cannot be used: {exc}", id="live.E001")]
    return []
