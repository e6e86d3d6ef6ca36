"""The base of every websocket: who may sit down, how they are told no, and how they are asked to leave.

Subclasses say what is looked at (`key_of`, `look`) and what happens then (`begin`, `on_look`, `end`).
"""

import time
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import msgspec
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from django.db import Error
from redis.exceptions import RedisError

from portal.core.models import User
from portal.core.policy import Action
from portal.core.tickets import Holder, ticket_redeem
from portal.live.entrance import holder_of
from portal.live.outbox import Outbox, text_parcel
from portal.live.process import live_process
from portal.live.seats import Seat, known_holders

NOT_SIGNED_IN, REVOKED, NOT_FOUND, TOO_SLOW = 4401, 4403, 4404, 4408
RESTART, TRY_LATER = 1012, 1013
_PING_S = 15.0
_PING = text_parcel('{"type":"ping"}')


class UnknownPathConsumer(AsyncConsumer):
    """Any path that is no route: accepted, then closed as a missing object is."""

    berth_action: ClassVar[Action] = Action.PUBLIC

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        """Refuse as for a missing object."""
        await self.send({"type": "websocket.accept"})
        await self.send({"type": "websocket.close", "code": NOT_FOUND})

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Ignore what was on its way."""

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """End."""
        raise StopConsumer


class LiveConsumer(AsyncConsumer):
    """A websocket that shows one thing to one person, known by session or ticket, and hears nothing from them."""

    berth_action: ClassVar[Action] = Action.SIGNED_IN
    outbox: Outbox | None = None
    seat: Seat | None = None
    _pinged_at = 0.0

    # What subclasses say.

    def key_of(self) -> str:
        """Return what the path names."""
        return next(iter(str(value) for value in self.scope["url_route"]["kwargs"].values()), "")

    @classmethod
    def look(cls, user: User, keys: Collection[str]) -> Mapping[str, Any]:
        """Return the facts of those of `keys` that the user may see, in one query."""
        return {}

    async def begin(self, facts: Any) -> None:
        """Start to show."""

    async def end(self) -> None:
        """Stop to show; called once, also after a `begin` that failed half-way."""

    def refresh(self, facts: Any) -> None:
        """Take the facts as they are some seconds later: messages may have been lost."""

    # The life of a socket.

    async def websocket_connect(self, message: dict[str, Any]) -> None:
        """Accept once the subscription stands, so that a page that asks on `open` misses nothing; or refuse."""
        try:
            holder, facts = await database_sync_to_async(self._first_look, thread_sensitive=False)(
                holder_of(self.scope)
            )
        except (Error, RedisError, OSError):
            return await self._refuse(TRY_LATER)
        if holder is None:
            return await self._refuse(NOT_SIGNED_IN)
        if facts is None:
            return await self._refuse(NOT_FOUND)
        self._pinged_at = time.monotonic()
        send: Any = self.base_send
        self.outbox = Outbox(send)
        self.seat = Seat(self, holder, self.key_of())
        live_process().usher.sit(self.seat)
        await self.begin(facts)
        await self.send({"type": "websocket.accept"})
        self.outbox.open()
        return None

    async def websocket_receive(self, message: dict[str, Any]) -> None:
        """Ignore what a client says: there is nothing to ask for here."""

    async def websocket_disconnect(self, message: dict[str, Any]) -> None:
        """Let go of everything."""
        await self._let_go()
        raise StopConsumer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Run; whatever ends it, nothing of it stays."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._let_go()

    # What the usher says.

    def on_look(self, facts: Any) -> None:
        """Pass fresh facts on, and keep the line from falling silent."""
        if time.monotonic() - self._pinged_at >= _PING_S and self.outbox is not None:
            self._pinged_at = time.monotonic()
            self.outbox.offer(_PING)
        self.refresh(facts)

    def on_revoked(self) -> None:
        """Close: the right to look is gone."""
        self.close(REVOKED)

    # For subclasses.

    def close(self, code: int) -> None:
        """Close with a code, without waiting."""
        if self.outbox is not None:
            self.outbox.close(code)

    def tell(self, frame: Mapping[str, Any]) -> None:
        """Queue a JSON control frame; a viewer that cannot take it is too slow."""
        if self.outbox is not None and not self.outbox.offer(text_parcel(msgspec.json.encode(frame).decode())):
            self.outbox.close(TOO_SLOW)

    def _first_look(self, shown: Holder | str | None) -> tuple[Holder | None, Any]:
        """Return who comes and what they are to see: nobody where ticket, token or session are not good."""
        holder = ticket_redeem(shown) if isinstance(shown, str) else shown
        user = known_holders({holder}).get(holder) if holder is not None else None
        if user is None:
            return None, None
        key = self.key_of()
        return holder, self.look(user, {key}).get(key)

    async def _refuse(self, code: int) -> None:
        """Accept, then close: a browser shows a refused handshake as 1006, whatever the reason."""
        await self.send({"type": "websocket.accept"})
        await self.send({"type": "websocket.close", "code": code})

    async def _let_go(self) -> None:
        seat, self.seat = self.seat, None
        outbox, self.outbox = self.outbox, None
        if seat is not None:
            await live_process().usher.leave(seat)
            await self.end()
        if outbox is not None:
            await outbox.stop()
