"""The base of every endpoint: who calls, whether the token's scope and the role allow it, what is parsed.

Roles on objects are for services and selectors; here only what needs no object is decided.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.db import models
from django.http import HttpResponseBase
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from portal.core.api.authentication import BrowserAuthentication, TokenAuthentication
from portal.core.api.bodies import AlwaysJson, JsonParser, is_clean
from portal.core.api.throttles import CallerThrottle
from portal.core.errors import Denied, NotVisible, Rejected
from portal.core.models import ApiToken, Scope, User
from portal.core.policy import Action

F = TypeVar("F", bound=Callable[..., Any])
Shape = type[Serializer[Any]]
_METHODS = ("get", "post", "put", "patch", "delete")
_READING = {"GET", "HEAD"}


def endpoint(
    action: Action,
    *,
    answers: Mapping[int, Shape | None],
    body: Shape | None = None,
    query: Shape | None = None,
    scope: Scope | None = None,
    creates: bool = False,
) -> Callable[[F], F]:
    """Declare a method: its action, the scope a token needs (by default read for GET, else manage), its shapes.

    `answers` maps each status of success to its shape (None: no body); errors are documented by themselves.
    `creates` documents the Idempotency-Key header. Further parameters: drf-spectacular's `extend_schema`.
    """

    def mark(handler: F) -> F:
        marked: Any = extend_schema(
            request=body, responses=dict(answers), parameters=[query] if query is not None else None
        )(handler)
        marked.berth_action = action
        marked.berth_scope = scope or (Scope.READ if handler.__name__ == "get" else Scope.MANAGE)
        marked.berth_creates = creates
        return marked  # type: ignore[no-any-return]

    return mark


class Declared(BasePermission):
    """An account for everything but PUBLIC, and the scope that the method declares for who comes with a token."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return False for strangers (401). Raises PermissionDenied for a token without the scope."""
        handler = getattr(view, "get" if request.method in _READING else (request.method or "").lower(), None)
        action, scope = getattr(handler, "berth_action", None), getattr(handler, "berth_scope", None)
        if action is None or action is Action.PUBLIC:
            return True  # a method that does not exist is a 405, for everybody
        if not isinstance(request.user, User):
            return False
        token: Any = request.auth
        if isinstance(token, ApiToken) and scope not in token.scopes:
            raise exceptions.PermissionDenied(_("This token lacks the scope “%(scope)s”.") % {"scope": scope})
        return True


class ApiView(APIView):
    """An endpoint; each of its methods is marked by `@endpoint`. Times are UTC, texts in the caller's language."""

    http_method_names = [*_METHODS, "head"]
    authentication_classes = [TokenAuthentication, BrowserAuthentication]
    permission_classes = [Declared]
    throttle_classes = [CallerThrottle]
    parser_classes = [JsonParser]
    content_negotiation_class = AlwaysJson
    berth_actions: ClassVar[dict[str, Action]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Collect what the methods declare; an unmarked one is an error at import."""
        super().__init_subclass__(**kwargs)
        handlers = {name: getattr(cls, name) for name in _METHODS if hasattr(cls, name)}
        unmarked = [name for name, handler in handlers.items() if not hasattr(handler, "berth_action")]
        if unmarked:
            raise TypeError(f"{cls.__name__}: {', '.join(unmarked)} without @endpoint")
        cls.berth_actions = {name: handler.berth_action for name, handler in handlers.items()}

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Return the view; where one method is public the whole counts as a public way in."""
        view: Any = super().as_view(**initkwargs)
        actions = list(cls.berth_actions.values()) or [Action.PUBLIC]
        view.berth_action = Action.PUBLIC if Action.PUBLIC in actions else actions[0]
        return view

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in UTC, whatever zone the caller's pages use."""
        with timezone.override(dt.UTC):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what no query may hold, then see who calls."""
        if not all(is_clean(value) for value in kwargs.values() if isinstance(value, str)):
            raise NotVisible
        for name in request.query_params:
            if not is_clean(name) or not all(is_clean(value) for value in request.query_params.getlist(name)):
                raise exceptions.ParseError(_("The query holds a NUL or half a character."))
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """See who calls, and speak their language."""
        super().perform_authentication(request)
        user = request.user
        if isinstance(user, User) and user.language in dict(settings.LANGUAGES):
            translation.activate(user.language)


def caller(request: Request) -> User:
    """Return who calls, in a method that is not PUBLIC."""
    if not isinstance(request.user, User):
        raise exceptions.NotAuthenticated
    return request.user


def account_of(request: Request) -> User:
    """Return who calls, where their account as a whole is concerned. A token of one tenant raises Denied."""
    user = caller(request)
    if user.bound_tenant_id is not None:
        raise Denied(_("A token of one tenant does not reach its holder's account."))
    return user


def token_of_caller(request: Request) -> ApiToken | None:
    """Return the token that the caller came with; None for a session."""
    auth: Any = request.auth
    return auth if isinstance(auth, ApiToken) else None


def parsed(shape: Shape, request: Request, *, partial: bool = False) -> dict[str, Any]:
    """Return the body's values. Raises ValidationError by field."""
    return _valid(shape(data=request.data, partial=partial))


def parsed_query(shape: Shape, request: Request) -> dict[str, Any]:
    """Return the query's values. Raises ValidationError by parameter."""
    return _valid(shape(data=request.query_params))


def found(rows: "models.QuerySet[Any]", field: str, text: str) -> Any:
    """Return the row that a value of the body names. Raises Rejected at the field."""
    row = rows.first()
    if row is None:
        raise missing(field, text)
    return row


def missing(field: str, text: str) -> Rejected:
    """Return the complaint about a value of the body that names nothing."""
    return Rejected({field: [_("There is no “%(name)s” that you can see.") % {"name": text}]})


def _valid(serializer: Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
