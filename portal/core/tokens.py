"""API tokens: made, revoked and recognised here. A key is shown once; its SHA-512 digest is what is kept.

Knox's key and digest functions are used, its table and authentication are not (docs/adr/0010-api-tokens.md).
"""

import datetime as dt
from collections.abc import Collection
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from knox.crypto import create_token_string, hash_token  # type: ignore[import-untyped]

from portal.core import audit, policy
from portal.core.errors import Conflict, NotVisible, Rejected, Text
from portal.core.models import ApiToken, Scope, User
from portal.core.policy import Action

KEY_PREFIX = "berth_"
SHOWN_START = 10
MAX_NAME = 80
MAX_KEY = 200
MOST_TOKENS = 50
LONGEST = dt.timedelta(days=366)
USED_EVERY = dt.timedelta(minutes=1)


def token_create(
    *,
    actor: User,
    name: str,
    scopes: Collection[Scope],
    expires_at: dt.datetime,
    tenant: Model | None = None,
    maker: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for the actor and return it with its key, which nobody can read again.

    `tenant` binds it to one tenant. `maker` is the token that asks, where no session does: what it makes can do no
    more and lasts no longer than itself. Raises NotVisible, Rejected by field, Conflict at 50 tokens. Audited.
    """
    if tenant is not None:
        policy.require(actor, Action.TENANT_VIEW, tenant)
    tenant_id = tenant.pk if tenant is not None else actor.bound_tenant_id
    _reject(name, scopes, expires_at, maker)
    key = KEY_PREFIX + create_token_string()
    try:
        with transaction.atomic():
            User.objects.select_for_update().get(pk=actor.pk)  # of two at once the second counts the first one's
            if ApiToken.objects.filter(user=actor).count() >= MOST_TOKENS:
                raise Conflict(_("You have as many tokens as one may have: revoke one first."))
            token = ApiToken.objects.create(
                user=actor,
                name=name.strip(),
                digest=hash_token(key),
                shown_start=key[:SHOWN_START],
                scopes=[scope.value for scope in Scope if scope in scopes],
                tenant_id=tenant_id,
                holder_mark=_mark(actor),
                expires_at=expires_at,
            )
            audit.record(actor=actor, action="token.create", target=token, tenant_id=tenant_id, after=_described(token))
    except IntegrityError as error:
        raise Rejected({"name": [_("You have a token of this name.")]}) from error
    return token, key


def token_revoke(*, actor: User, token_id: UUID) -> None:
    """Delete one of the actor's tokens: it is refused from now on. Raises NotVisible. Audited."""
    with transaction.atomic():
        token = ApiToken.objects.visible_to(actor).select_for_update().filter(pk=token_id).first()
        if token is None:
            raise NotVisible
        audit.record(
            actor=actor, action="token.revoke", target=token, tenant_id=token.tenant_id, before=_described(token)
        )
        token.delete()


def token_list(*, user: User) -> QuerySet[ApiToken]:
    """Return the user's own tokens, expired ones too, newest first."""
    return ApiToken.objects.visible_to(user).order_by("-created", "-id")


def token_get(*, user: User, token_id: UUID) -> ApiToken:
    """Return one of the user's own tokens. Raises NotVisible."""
    token = ApiToken.objects.visible_to(user).filter(pk=token_id).first()
    if token is None:
        raise NotVisible
    return token


def token_of_key(key: str) -> ApiToken | None:
    """Return the token of a key with its holder, bound as it is; None for any that is not alive.

    One statement; a second one notes the use, at most once a minute.
    """
    if not key.startswith(KEY_PREFIX) or len(key) > MAX_KEY or not key.isascii():
        return None
    token = ApiToken.objects.select_related("user").filter(digest=hash_token(key), expires_at__gt=Now()).first()
    if token is None or not is_alive(token):
        return None
    if token.last_used_at is None or timezone.now() - token.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=Now())
    return token


def tokens_alive(token_ids: Collection[str]) -> dict[str, ApiToken]:
    """Return those of some tokens that are good now, by id, each with its holder bound to its tenant. One statement."""
    rows = ApiToken.objects.select_related("user").filter(pk__in=token_ids, expires_at__gt=Now())
    return {str(token.pk): token for token in rows if is_alive(token)}


def is_alive(token: ApiToken) -> bool:
    """Tell whether an unexpired token with its holder still counts, and bind the holder to the token's tenant.

    It ends with its holder's account and with each change of their password.
    """
    token.user.bound_tenant_id = token.tenant_id
    return token.user.is_active and constant_time_compare(token.holder_mark, _mark(token.user))


def _reject(name: str, scopes: Collection[Scope], expires_at: dt.datetime, maker: ApiToken | None) -> None:
    errors: dict[str, list[Text]] = {}
    if not 0 < len(name.strip()) <= MAX_NAME:
        errors["name"] = [_("Enter a name of at most 80 characters.")]
    if not scopes or not set(scopes) <= set(Scope):
        errors["scopes"] = [_("Choose at least one of: read, submit, manage.")]
    elif maker is not None and not {scope.value for scope in scopes} <= set(maker.scopes):
        errors["scopes"] = [_("A token cannot make one that may do more than itself.")]
    now = timezone.now()
    if not now < expires_at <= now + LONGEST:
        errors["expires_at"] = [_("Choose a time in the future, at most one year from now.")]
    elif maker is not None and expires_at > maker.expires_at:
        errors["expires_at"] = [_("A token cannot make one that lasts longer than itself.")]
    if errors:
        raise Rejected(errors)


def _mark(user: User) -> str:
    return user.get_session_auth_hash()


def _described(token: ApiToken) -> dict[str, object]:
    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "tenant_id": str(token.tenant_id) if token.tenant_id else None,
        "expires_at": token.expires_at.isoformat(),
    }
