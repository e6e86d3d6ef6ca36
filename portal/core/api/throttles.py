"""How often somebody may call: counted by the minute in the broker. While it is away nobody is held up."""

import time
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from portal.core.models import ApiToken, User

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which reads the settings that name this module

WINDOW_S = 60
PASSWORDS_PER_MINUTE = 5
log = structlog.get_logger(__name__)


class CallerThrottle(BaseThrottle):
    """At most API_REQUESTS_PER_MINUTE a token, and a user's sessions; callers without account by their address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Count the request."""
        return counted(_caller(request)) <= settings.API_REQUESTS_PER_MINUTE

    def wait(self) -> float:
        """Return the seconds until the next minute."""
        return seconds_left()


def note_failed_token(request: Request) -> None:
    """Count a key that is none; beyond API_FAILED_TOKENS_PER_MINUTE from one address raise Throttled.

    Good keys from that address are still served: behind one proxy sit many people.
    """
    if counted(f"failed:{request.META.get('REMOTE_ADDR', '')}") > settings.API_FAILED_TOKENS_PER_MINUTE:
        raise exceptions.Throttled(wait=seconds_left())


def count_guess(user: User) -> None:
    """Count a try at somebody's password; beyond PASSWORDS_PER_MINUTE raise Throttled."""
    if counted(f"password:{user.pk}") > PASSWORDS_PER_MINUTE:
        raise exceptions.Throttled(wait=seconds_left())


def counted(who: str) -> int:
    """Count one more of this minute and return how many; 0 while the broker is away."""
    key = f"api:{who}:{int(time.time()) // WINDOW_S}"
    try:
        try:
            return int(cache.incr(key))
        except ValueError:  # the first of this minute
            return 1 if cache.add(key, 1, timeout=2 * WINDOW_S) else int(cache.incr(key))
    except (RedisError, OSError, ValueError) as exc:
        log.warning("calls are not counted", error=str(exc))
        return 0


def seconds_left() -> float:
    """Return how long this minute lasts, at least one second."""
    return max(1.0, WINDOW_S - time.time() % WINDOW_S)


def _caller(request: Request) -> str:
    auth: Any = request.auth
    if isinstance(auth, ApiToken):
        return f"token:{auth.pk}"
    if request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return f"address:{request.META.get('REMOTE_ADDR', '')}"
