"""How websockets are routed, and the route of all paths that are none. Assembly only."""

from typing import Any

from channels.consumer import AsyncConsumer
from django.urls import URLPattern, path, re_path

from portal.live.consumers import UnknownPathConsumer


def socket(route: str, consumer: type[AsyncConsumer]) -> URLPattern:
    """Return the route of a websocket; the consumer declares its action as `berth_action`."""
    application: Any = consumer.as_asgi()  # Django's types know views only
    pattern: URLPattern = path(route, application)
    return pattern


_unknown: Any = UnknownPathConsumer.as_asgi()
everything_else = re_path(r"", _unknown)
