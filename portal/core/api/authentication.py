"""Who calls: by `Authorization: Token <key>`, else by the browser's session with its CSRF token."""

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from portal.core import tokens
from portal.core.api.throttles import note_failed_token
from portal.core.models import ApiToken, User

SCHEME = "Token"


class TokenAuthentication(BaseAuthentication):
    """Recognise an API token; `request.auth` is its row, and its holder is bound to its tenant."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return holder and token, None without such a header. Raises AuthenticationFailed, Throttled."""
        scheme, _space, key = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = tokens.token_of_key(key.strip())
        if token is None:
            note_failed_token(request)
            raise exceptions.AuthenticationFailed(_("This token is unknown, expired or revoked."))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Make a refusal a 401."""
        return SCHEME


class BrowserAuthentication(SessionAuthentication):
    """The session of a page; requests that change something carry its CSRF token."""


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI tells of tokens."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the scheme."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word Token, a space and the key: Authorization: Token berth_…",
        }


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI tells of sessions."""

    target_class = BrowserAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Return the scheme."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-berth-session",
            "description": "The browser's session; requests that change something carry X-CSRFToken as well.",
        }
