"""What is done to people's accounts: policy, row, audit. Also for REST:

account_create(actor, account) · account_set_role(actor, user, role) · account_switch_off, …_on(actor, user)
password_link(actor, user) -> path, single use, three days · password_set(user, password)
profile_update(actor, profile) · password_change(actor, current, new) · sessions_end(user, except_key)

Nobody but its owner ever knows a password: an admin hands over a link by which its owner sets one.
"""

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from portal.core import audit, policy
from portal.core.errors import Conflict, Rejected, Text
from portal.core.models import EMAIL_TAKEN, PlatformRole, User
from portal.core.policy import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account to be made."""

    username: str
    email: str = ""
    full_name: str = ""
    platform_role: str = PlatformRole.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What people decide about themselves; empty language or time zone: as the browser or the installation says."""

    full_name: str
    email: str
    language: str
    theme: str
    time_zone: str


def account_create(*, actor: User, account: Account) -> User:
    """Make an account that cannot sign in before its owner set a password by `password_link`.

    Raises Denied, Rejected by field.
    """
    policy.require(actor, Action.USER_MANAGE)
    user = User(
        username=account.username.strip(),
        email=account.email.strip(),
        first_name=account.full_name.strip(),
        platform_role=account.platform_role,
    )
    user.set_unusable_password()
    with transaction.atomic():
        _store(user)
        audit.record(actor=actor, action="user.create", target=user, after=_described(user))
    return user


def account_set_role(*, actor: User, user: User, role: str) -> User:
    """Give an account another platform role. Raises NotVisible, Denied, Rejected, Conflict for the last admin."""
    policy.require(actor, Action.USER_MANAGE, user)
    if role not in PlatformRole.values:
        raise Rejected({"platform_role": [_("There is no such role.")]})
    with transaction.atomic():
        if role != PlatformRole.ADMIN:
            _keep_an_admin(user)
        return _change(actor, user, "user.set_role", platform_role=role)


def account_switch_off(*, actor: User, user: User) -> User:
    """Let an account no longer sign in; ends its sessions now and its live views within 5 s, refuses its tokens.

    Raises NotVisible, Denied, Conflict for oneself and for the last admin.
    """
    policy.require(actor, Action.USER_MANAGE, user)
    if actor.pk == user.pk:
        raise Conflict(_("You cannot switch off your own account."))
    with transaction.atomic():
        _keep_an_admin(user)
        changed = _change(actor, user, "user.switch_off", is_active=False)
        sessions_end(user=user)
    return changed


def account_switch_on(*, actor: User, user: User) -> User:
    """Let an account sign in again. Raises NotVisible, Denied."""
    policy.require(actor, Action.USER_MANAGE, user)
    with transaction.atomic():
        return _change(actor, user, "user.switch_on", is_active=True)


def password_link(*, actor: User, user: User) -> str:
    """Return the path of a page where the account's owner sets a password: works once, for PASSWORD_RESET_TIMEOUT.

    Raises NotVisible, Denied, Conflict for an account that is switched off. The path is a secret: show it once.
    """
    policy.require(actor, Action.USER_MANAGE, user)
    if not user.is_active:
        raise Conflict(_("This account is switched off. Switch it on first."))
    audit.record(actor=actor, action="user.password_link", target=user, after={"user": user.get_username()})
    named = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("account_welcome", args=[named, default_token_generator.make_token(user)])


def password_set(*, user: User, password: str) -> None:
    """Store a password that its owner chose and that was checked; ends all of the account's sessions."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        sessions_end(user=user)
        audit.record(actor=user, action="user.password_set", target=user, after={"user": user.get_username()})


def password_change(*, actor: User, current: str, new: str) -> None:
    """Store a new password of somebody who knows the old one; ends all their sessions and tokens.

    Raises Rejected by field. Who calls it for a stranger's guesses counts them.
    """
    if not actor.check_password(current):
        raise Rejected({"current_password": [_("This is not your current password.")]})
    try:
        validate_password(new, actor)
    except ValidationError as error:
        raise Rejected({"new_password": list(error.messages)}) from error
    password_set(user=actor, password=new)


def profile_update(*, actor: User, profile: Profile) -> User:
    """Change what somebody decides about themselves. Raises Rejected by field."""
    before = _described(actor)
    with transaction.atomic():
        moved = profile.email.strip().lower() != actor.email.lower()
        actor.first_name, actor.last_name = profile.full_name.strip(), ""
        actor.email, actor.theme = profile.email.strip(), profile.theme
        actor.language, actor.time_zone = profile.language, profile.time_zone
        _store(actor)
        if moved:  # the old address may not sign in any more
            EmailAddress.objects.filter(user=actor).delete()
        if (after := _described(actor)) != before:
            audit.record(actor=actor, action="user.profile", target=actor, before=before, after=after)
    return actor


def sessions_end(*, user: User, except_key: str = "") -> int:
    """Sign an account out everywhere, or everywhere else; returns how many sessions ended. Live views close in 5 s."""
    ended = UserSession.objects.filter(user=user).exclude(session_key=except_key)
    keys = list(ended.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    ended.delete()
    return len(keys)


def _store(user: User) -> None:
    try:
        user.full_clean(exclude=["password"], validate_constraints=True)
    except ValidationError as error:
        raise Rejected(_by_field(error)) from error
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:  # somebody was faster
        raise Rejected({"username": [_("Taken.")]}) from error


def _by_field(error: ValidationError) -> dict[str, list[Text]]:
    fields: dict[str, list[Text]] = {}
    for name, problems in error.error_dict.items():
        for problem in problems:
            at = ("email" if problem.code == EMAIL_TAKEN else "username") if name == NON_FIELD_ERRORS else name
            fields.setdefault("full_name" if at == "first_name" else at, []).extend(problem.messages)
    return fields


def _change(actor: User, user: User, action: str, **values: str | bool) -> User:
    locked = User.objects.select_for_update().get(pk=user.pk)
    before = _described(locked)
    for name, value in values.items():
        setattr(locked, name, value)
    if (after := _described(locked)) != before:
        locked.save(update_fields=list(values))
        audit.record(actor=actor, action=action, target=locked, before=before, after=after)
    return locked


def _keep_an_admin(user: User) -> None:
    """Raise Conflict for the only platform admin that can sign in. Locks them all: two may go at once."""
    admins = User.objects.select_for_update().filter(platform_role=PlatformRole.ADMIN, is_active=True)
    if [admin.pk for admin in admins] == [user.pk]:
        raise Conflict(_("This is the only platform admin. Make somebody else one first."))


def _described(user: User) -> dict[str, str | bool]:
    return {
        "user": user.get_username(),
        "full_name": user.get_full_name(),
        "email": user.email,
        "platform_role": user.platform_role,
        "active": user.is_active,
    }
