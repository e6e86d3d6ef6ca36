"""Who sits at an open websocket, and whether they still may: asked again every few seconds, for all sockets together.

A revoke, a demotion, a sign-out, a changed password, the end of a token close the socket within 5 s (see
docs/architecture.md).
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from channels.db import database_sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import Error
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from portal.core import tokens
from portal.core.models import ApiToken, Scope, User
from portal.core.tickets import Holder

RECHECK_S = 2.0
logger = structlog.get_logger(__name__)


class Sight(Protocol):
    """How a kind of socket looks at what it shows."""

    @classmethod
    def look(cls, user: User, keys: Collection[str]) -> Mapping[str, Any]:
        """Return what the user may see of `keys`, with the facts of it; one query. Foreign and missing are absent."""

    def on_look(self, facts: Any) -> None:
        """Take fresh facts. Must neither raise nor wait."""

    def on_revoked(self) -> None:
        """The user may not see it any more, or is not signed in any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Seat:
    """One open socket: who sits there, by which session or token, and what it looks at."""

    sight: Sight
    holder: Holder
    key: str


class Usher:
    """Looks again on behalf of all seats of this process. Its task lives only while somebody sits."""

    def __init__(self) -> None:
        self._seats: set[Seat] = set()
        self._task: asyncio.Task[None] | None = None

    def sit(self, seat: Seat) -> None:
        """Begin to look for a seat."""
        self._seats.add(seat)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live-usher")

    async def leave(self, seat: Seat) -> None:
        """Forget a seat."""
        self._seats.discard(seat)
        if not self._seats and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_S)
            seats = list(self._seats)
            try:
                facts = await database_sync_to_async(look_for, thread_sensitive=False)(seats)
            except Error as exc:  # nobody can be revoked in a database that is away: ask again
                logger.warning("live sockets not re-checked", error=str(exc))
                continue
            for seat in seats:
                self._tell(seat, facts.get(seat))

    def _tell(self, seat: Seat, facts: Any) -> None:
        if seat not in self._seats:
            return
        if facts is None:
            seat.sight.on_revoked()
        else:
            seat.sight.on_look(facts)


def look_for(seats: Sequence[Seat]) -> dict[Seat, Any]:
    """Return the facts of the seats that may stay. Three queries at most, and one per holder and kind of socket."""
    groups: dict[tuple[type[Sight], Holder], list[Seat]] = defaultdict(list)
    users = known_holders({seat.holder for seat in seats})
    for seat in seats:
        if seat.holder in users:
            groups[type(seat.sight), seat.holder].append(seat)
    facts: dict[Seat, Any] = {}
    for (kind, holder), members in groups.items():
        seen = kind.look(users[holder], {seat.key for seat in members})
        facts |= {seat: seen[seat.key] for seat in members if seat.key in seen}
    return facts


def known_holders(holders: Collection[Holder]) -> dict[Holder, User]:
    """Return the people behind those sessions and tokens that are good now; each is bound as their token is."""
    by_token = [holder for holder in holders if holder.proof.token_id]
    return _by_session([holder for holder in holders if not holder.proof.token_id]) | _by_token(by_token)


def _by_session(holders: Collection[Holder]) -> dict[Holder, User]:
    if not holders:
        return {}
    users = User.objects.in_bulk({holder.user_id for holder in holders})
    sessions = _live_sessions({holder.proof.session_key for holder in holders})
    found = {holder: users.get(holder.user_id) for holder in holders}
    return {
        holder: user
        for holder, user in found.items()
        if user is not None and user.is_active and _is_of(sessions.get(holder.proof.session_key), user)
    }


def _by_token(holders: Collection[Holder]) -> dict[Holder, User]:
    alive = tokens.tokens_alive({holder.proof.token_id for holder in holders}) if holders else {}
    found = {holder: alive.get(holder.proof.token_id) for holder in holders}
    return {holder: token.user for holder, token in found.items() if token is not None and _may_look(token, holder)}


def _may_look(token: ApiToken, holder: Holder) -> bool:
    return token.user_id == holder.user_id and Scope.READ in token.scopes


def _live_sessions(keys: Collection[str]) -> dict[str, dict[str, Any]]:
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return {row.session_key: row.get_decoded() for row in rows}


def _is_of(session: Mapping[str, Any] | None, user: User) -> bool:
    if session is None or session.get(SESSION_KEY) != str(user.pk):
        return False
    return constant_time_compare(str(session.get(HASH_SESSION_KEY, "")), user.get_session_auth_hash())
