"""Each route declares the action it needs; a test walks all routes and fails on one without."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest

from portal.core.errors import NotVisible
from portal.core.models import User
from portal.core.policy import Action

F = TypeVar("F", bound=Callable[..., Any])


def route(action: Action) -> Callable[[F], F]:
    """Declare a view's action. All but PUBLIC also demand a signed-in user; services and selectors check the rest."""

    def mark(view: F) -> F:
        guarded: Any = view if action is Action.PUBLIC else login_required(view)
        guarded.berth_action = action
        return guarded  # type: ignore[no-any-return]

    return mark


def person(request: HttpRequest) -> User:
    """Return who asks, in a view that `route` guards; nobody raises NotVisible."""
    if not isinstance(request.user, User):
        raise NotVisible
    return request.user
