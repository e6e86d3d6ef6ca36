"""System checks of what would otherwise fail without a word: sockets that open and never hear anything."""

from collections.abc import Sequence
from typing import Any

import redis
from channels.exceptions import InvalidChannelLayerError
from channels.layers import channel_layers
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


@register
def check_channel_layer(**kwargs: Any) -> Sequence[CheckMessage]:
    """Refuse a channel layer that cannot be made: Channels turns a KeyError of its constructor into "no layer"."""
    if not channel_layers.configs:
        return []
    try:
        channel_layers.make_backend("default")
    except (KeyError, TypeError, ValueError, InvalidChannelLayerError) as exc:
        return [Error(f"CHANNEL_LAYERS['default'] cannot be made: {exc!r}", id="live.E002")]
    return []
