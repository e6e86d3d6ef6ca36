"""Endpoints of one's own account: who calls, profile, sessions, password."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import directory, people, policy
from portal.core.api.throttles import count_guess
from portal.core.api.views import ApiView, account_of, caller, endpoint, parsed
from portal.core.models import User
from portal.core.people import Profile
from portal.core.policy import Action
from portal.web.api.shapes import (
    MeSerializer,
    NewPasswordSerializer,
    ProfileSerializer,
    SessionsEndedSerializer,
    SessionsSerializer,
)
from portal.web.user_agents import browser_text
from tenants.roles import GRANTS, memberships_of


class MeView(ApiView):
    """Who calls."""

    @endpoint(Action.SIGNED_IN, answers={200: MeSerializer})
    def get(self, request: Request) -> Response:
        """Show who you are, your memberships and what you may do."""
        return Response(MeSerializer(_me(caller(request))).data)

    @endpoint(Action.SIGNED_IN, body=ProfileSerializer, answers={200: MeSerializer})
    def patch(self, request: Request) -> Response:
        """Change your name, address, language, theme or time zone."""
        user = account_of(request)
        profile = Profile(**{**_profile(user), **parsed(ProfileSerializer, request, partial=True)})
        return Response(MeSerializer(_me(people.profile_update(actor=user, profile=profile))).data)


class SessionsView(ApiView):
    """Where the caller is signed in."""

    @endpoint(Action.SIGNED_IN, answers={200: SessionsSerializer})
    def get(self, request: Request) -> Response:
        """List where you are signed in, newest first."""
        own_key = _session_key(request)
        rows = [
            {
                "browser": browser_text(session.user_agent),
                "ip": session.ip,
                "created": session.created_at,
                "last_seen_at": session.last_seen_at,
                "current": session.session_key == own_key,
            }
            for session in directory.session_list(user=account_of(request))
        ]
        return Response(SessionsSerializer({"results": rows}).data)

    @endpoint(Action.SIGNED_IN, answers={200: SessionsEndedSerializer})
    def delete(self, request: Request) -> Response:
        """Sign yourself out everywhere but here; with a token, everywhere."""
        return Response({"ended": people.sessions_end(user=account_of(request), except_key=_session_key(request))})


class PasswordView(ApiView):
    """The caller's password."""

    @endpoint(Action.SIGNED_IN, body=NewPasswordSerializer, answers={204: None})
    def post(self, request: Request) -> Response:
        """Change your password. Ends all your sessions and tokens, this one too."""
        user, values = account_of(request), parsed(NewPasswordSerializer, request)
        count_guess(user)
        people.password_change(actor=user, current=values["current_password"], new=values["new_password"])
        return Response(status=204)


def _me(user: User) -> dict[str, Any]:
    own = [
        {"tenant": member.tenant, "role": member.role, "permissions": sorted(GRANTS[member.role])}
        for member in memberships_of(user)
    ]
    names = ("id", "username", "platform_role")
    shown = {name: getattr(user, name) for name in names}
    return {**shown, **_profile(user), "permissions": sorted(policy.grants_on(user, None)), "memberships": own}


def _profile(user: User) -> dict[str, str]:
    names = ("email", "language", "theme", "time_zone")
    return {"full_name": user.get_full_name(), **{name: getattr(user, name) for name in names}}


def _session_key(request: Request) -> str:
    """Return the key of the session that asks; "" for a token."""
    session = request._request.session if request.auth is None else None  # noqa: SLF001 (the server's own request)
    return (session.session_key or "") if session is not None else ""
