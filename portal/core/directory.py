"""Reads of people's accounts for those who run the platform: a list with search, in keyset pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from portal.core import policy
from portal.core.errors import NotVisible
from portal.core.models import AuditEntry, User
from portal.core.policy import Action

WHICH: dict[str, Q] = {
    "on": Q(is_active=True),
    "off": Q(is_active=False),
    "admin": Q(platform_role="admin"),
    "auditor": Q(platform_role="auditor"),
}
HISTORY_ROWS = 10
PAGE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some accounts by name, and the names between which the neighbouring pages lie ("" where there is none)."""

    users: Sequence[User]
    before: str
    after: str


def accounts(*, actor: User, text: str = "", which: str = "") -> QuerySet[User]:
    """Return the accounts that a text and a choice narrow. Raises Denied."""
    policy.require(actor, Action.USER_VIEW)
    found = User.objects.filter(WHICH.get(which, Q()))
    return found.filter(_mentions(text)) if text else found


def account_list(
    *, actor: User, text: str = "", which: str = "", after: str = "", before: str = "", limit: int = PAGE_ROWS
) -> Page:
    """Return a page of accounts by user name, those after or before a name. Raises Denied. One query."""
    found = accounts(actor=actor, text=text, which=which).annotate(name_key=Lower("username"))
    if before:
        users = list(found.filter(name_key__lt=before).order_by("-name_key")[: limit + 1])
        more, users = len(users) > limit, users[:limit][::-1]
        return Page(users, _name(users[:1]) if more else "", _name(users[-1:]))
    users = list((found.filter(name_key__gt=after) if after else found).order_by("name_key")[: limit + 1])
    more, users = len(users) > limit, users[:limit]
    return Page(users, _name(users[:1]) if after else "", _name(users[-1:]) if more else "")


def account_get(*, actor: User, user_id: UUID) -> User:
    """Return an account. Raises NotVisible when it is missing or not the actor's to see."""
    user = User.objects.filter(pk=user_id).first()
    if user is None or not policy.allowed(actor, Action.USER_VIEW, user):
        raise NotVisible
    return user


def account_history(*, actor: User, user: User) -> QuerySet[AuditEntry]:
    """Return what was done to an account, newest first. Raises NotVisible, Denied."""
    policy.require(actor, Action.USER_VIEW, user)
    about = AuditEntry.objects.filter(target_type="core.user", target_id=str(user.pk))
    return about.order_by("-id")


def person_named(text: str) -> User | None:
    """Return the active account of a user name or an address, in any case of letters; None where there is none."""
    return (
        User.objects.filter(Q(username__iexact=text) | Q(email__iexact=text), is_active=True).first() if text else None
    )


def session_list(*, user: User) -> list[UserSession]:
    """Return where somebody is signed in, newest first."""
    living = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    return list(UserSession.objects.filter(user=user, session_key__in=living).order_by("-last_seen_at", "-pk"))


def _mentions(text: str) -> Q:
    names = Q(first_name__icontains=text) | Q(last_name__icontains=text)
    return names | Q(username__icontains=text) | Q(email__icontains=text)


def _name(users: Sequence[User]) -> str:
    return users[0].username.lower() if users else ""
