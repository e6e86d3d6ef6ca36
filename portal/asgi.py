"""ASGI entry point: pages and websockets from one origin. Assembly only."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from django.core.asgi import get_asgi_application

pages = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter

import portal.celery  # noqa: F401
from portal.live.entrance import Entrance
from portal.live.routing import everything_else
from workloads.routing import websocket_urlpatterns

sockets: list[Any] = [*websocket_urlpatterns, everything_else]
application = ProtocolTypeRouter(
    {
        "http": pages,
        "websocket": Entrance(URLRouter(sockets)),
    }
)
