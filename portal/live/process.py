"""What all sockets of one process share: one hub, one usher, one feed a watched log."""

import asyncio
from weakref import WeakKeyDictionary

from django.conf import settings

from portal.live.hub import Hub
from portal.live.logfeed import LogFeeds
from portal.live.seats import Usher


class LiveProcess:
    """The shared parts, bound to one event loop; idle ones hold neither task nor connection."""

    def __init__(self) -> None:
        self.hub = Hub(settings.REDIS_URL)
        self.usher = Usher()
        self.feeds = LogFeeds(self.hub)


_of_loop: "WeakKeyDictionary[asyncio.AbstractEventLoop, LiveProcess]" = WeakKeyDictionary()


def live_process() -> LiveProcess:
    """Return the shared parts of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _of_loop:
        _of_loop[loop] = LiveProcess()
    return _of_loop[loop]
