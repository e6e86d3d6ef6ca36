"""The way in for websockets: pages of this site with their session, programs with a ticket, nobody else.

A browser always says where a page is from. Who says nothing is no browser, and gets nothing for a cookie.
"""

from typing import Any
from urllib.parse import parse_qs

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator

from portal.core.tickets import Holder, Proof

TICKET = "ticket"


class Entrance:
    """Refuse pages of other sites before anything else; read the session of our own."""

    def __init__(self, inner: Any) -> None:
        self._programs = inner
        self._pages = AllowedHostsOriginValidator(AuthMiddlewareStack(inner))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand on to the routes."""
        from_page = any(name == b"origin" for name, _value in scope["headers"])
        await (self._pages if from_page else self._programs)(scope, receive, send)


def holder_of(scope: Any) -> Holder | str | None:
    """Return what somebody shows at the door: a ticket (which counts alone, whatever else there is) or a session."""
    asked = parse_qs(scope["query_string"].decode("ascii", "replace"), keep_blank_values=True)
    if TICKET in asked:
        return str(asked[TICKET][0])
    user = scope.get("user")
    if user is None or not user.is_authenticated:
        return None
    return Holder(user.pk, Proof(session_key=scope["session"].session_key or ""))
