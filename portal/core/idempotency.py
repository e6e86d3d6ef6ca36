"""Idempotency keys: a repeated request gets what the first one made. Rows, written in the transaction of the change."""

from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from portal.core.errors import IdempotencyReplay, Rejected
from portal.core.models import IdempotencyKey, User

KEEP_S = 86_400
MAX_KEY = 200
CREATED = 201


def claim(*, actor: User, key: str, digest: str, object_id: UUID) -> UUID | None:
    """Bind a key to the object that is about to be made; return the first request's object when it is a repetition.

    Call it first in the transaction that makes the object: of two at once the second waits here for the first one's
    commit. Raises IdempotencyReplay when the key stands for a request with another digest, Rejected for a key that
    is too long. A key older than 24 h counts as new.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("claim() belongs into the transaction of the change")
    if not 0 < len(key) <= MAX_KEY or "\0" in key:
        raise Rejected({"idempotency_key": [_("Use a key of 1 to 200 characters.")]})
    if _insert(actor, key, digest, object_id):
        return None
    first = IdempotencyKey.objects.get(actor=actor, key=key)
    if first.digest != digest:
        raise IdempotencyReplay(str(first.object_id))
    return first.object_id


def bind(*, actor: User, key: str, object_id: UUID) -> None:
    """Say what a key that was claimed in this transaction made, where its id was not known before. One statement."""
    IdempotencyKey.objects.filter(actor=actor, key=key).update(object_id=object_id)


def forget_expired() -> int:
    """Delete the keys that have expired; return how many. One statement."""
    return IdempotencyKey.objects.filter(expires_at__lte=Now()).delete()[0]


def _insert(actor: User, key: str, digest: str, object_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO core_idempotencykey AS k (actor_id, key, digest, status, object_id, expires_at)
            VALUES (%(actor)s, %(key)s, %(digest)s, %(status)s, %(object)s,
                    clock_timestamp() + make_interval(secs => %(keep_s)s))
            ON CONFLICT (actor_id, key) DO UPDATE SET
              digest = EXCLUDED.digest, status = EXCLUDED.status, object_id = EXCLUDED.object_id,
              expires_at = EXCLUDED.expires_at
            WHERE k.expires_at <= clock_timestamp()
            """,
            {
                "actor": actor.pk,
                "key": key,
                "digest": digest,
                "status": CREATED,
                "object": object_id,
                "keep_s": KEEP_S,
            },
        )
        return bool(cursor.rowcount)
