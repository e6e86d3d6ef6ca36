"""Tickets: what a program shows to open one websocket, where a browser would show its cookie.

A ticket stands for a token or a session, never for more: whether that still holds is looked up when the socket opens
and every few seconds from then on. The broker keeps the digest of a ticket, and forgets it by itself.
"""

import json
from dataclasses import asdict, dataclass
from secrets import token_urlsafe
from uuid import UUID

from django.core.cache import cache
from knox.crypto import hash_token  # type: ignore[import-untyped]

LIFE_S = 30
MAX_TICKET = 100


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that somebody is who they say: the id of an API token, or else the key of a session."""

    token_id: str = ""
    session_key: str = ""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who comes, and by what they were known."""

    user_id: UUID
    proof: Proof


def ticket_issue(holder: Holder) -> str:
    """Return a new ticket, good for one websocket within LIFE_S. Raises RedisError while the broker is away."""
    ticket = token_urlsafe(32)
    cache.set(_key(ticket), json.dumps({"user_id": str(holder.user_id), **asdict(holder.proof)}), timeout=LIFE_S)
    return ticket


def ticket_redeem(ticket: str) -> Holder | None:
    """Return whose ticket this is and spend it; None for one that is unknown, expired or spent.

    Of two that come at once one is served: only one of them deletes the key. Raises RedisError.
    """
    if not 0 < len(ticket) <= MAX_TICKET:
        return None
    key = _key(ticket)
    kept = cache.get(key)
    if kept is None or not cache.delete(key):
        return None
    values = json.loads(kept)
    return Holder(UUID(values.pop("user_id")), Proof(**values))


def _key(ticket: str) -> str:
    return f"ws-ticket:{hash_token(ticket)}"
